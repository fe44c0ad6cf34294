// Comfort only: every page works without this file.

const list = document.querySelector("[data-keys]");
if (list) {
  const rows = [...list.querySelectorAll("tbody tr")];
  const links = rows.map((row) => row.querySelector("th a"));
  const typing = (target) => target.closest("input, select, textarea, [contenteditable]");
  const steps = { j: 1, ArrowDown: 1, k: -1, ArrowUp: -1 };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (search) {
        event.preventDefault();
        search.focus();
        search.select();
      }
      return;
    }
    const step = steps[event.key];
    if (!step || links.length === 0) return;
    const here = rows.findIndex((row) => row.contains(document.activeElement));
    // An arrow scrolls the page until the list is entered, by a letter or by the tab key.
    if (here < 0 && event.key.startsWith("Arrow")) return;
    event.preventDefault();
    const next = here < 0 ? 0 : Math.min(Math.max(here + step, 0), links.length - 1);
    links[next].focus();
    links[next].scrollIntoView({ block: "nearest" });
  });
}

for (const choice of document.querySelectorAll("form[data-at-once] select")) {
  choice.addEventListener("change", () => choice.form.requestSubmit());
}

for (const button of document.querySelectorAll("[data-print]")) {
  button.hidden = false;
  button.addEventListener("click", () => window.print());
}
