"""Style that a linter does not know: sizes, places, words, links and pins."""

from __future__ import annotations

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MEMBERS = ("protocol", "agent", "server", "simulator")

TOP_LEVEL = {
    *MEMBERS,
    *("tests", "deploy", "docs", ".ci"),
    *("pyproject.toml", "Makefile", "README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "CHANGELOG.md"),
    *("LICENSE", ".gitignore"),
}
FILE_LINES_MAX = 450
FUNCTION_LINES_MAX = 70
# Spelled in two halves, so that this file does not find itself.
FORBIDDEN_WORDS = [
    "py" + r"pi\.org",
    "python" + r"hosted\.org",
    "npm" + r"js\.(org|com)",
    r"deb\.deb" + r"ian\.org",
    r"(?<![\w.])/ro" + "ot/",
    r"(?<![\w.$~])/wo" + "rk/",
    "BEGIN [A-Z ]*PRIV" + "ATE KEY",
]


def tracked() -> list[Path]:
    """All files that git knows; what a test run left about does not count. In an archive, all files."""
    if not (ROOT / ".git").exists():
        found = (path for path in ROOT.rglob("*") if path.is_file())
        return [path for path in found if not {".venv", "build", "__pycache__"} & set(path.parts)]
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


def python_files() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".py" and "migrations" not in path.parts]


def texts() -> Iterator[tuple[Path, str]]:
    for path in tracked():
        try:
            yield path, path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue


def test_the_top_of_the_house_holds_what_was_agreed() -> None:
    assert {path.relative_to(ROOT).parts[0] for path in tracked()} <= TOP_LEVEL


def test_no_file_is_a_module_of_everything() -> None:
    lengths = {path.relative_to(ROOT): len(path.read_text().splitlines()) for path in python_files()}
    assert not {path: lines for path, lines in lengths.items() if lines > FILE_LINES_MAX}


def test_functions_fit_a_screen() -> None:
    too_long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in python_files()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (node.end_lineno or 0) - node.lineno >= FUNCTION_LINES_MAX
    ]
    assert not too_long


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        path.relative_to(ROOT)
        for path in python_files()
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert not silent


@pytest.mark.parametrize("word", FORBIDDEN_WORDS)
def test_no_registry_host_no_path_of_a_machine_no_key(word: str) -> None:
    assert not [path.relative_to(ROOT) for path, text in texts() if re.search(word, text)]


def test_links_between_documents_lead_somewhere() -> None:
    broken = [
        f"{path.relative_to(ROOT)}: {target}"
        for path, text in texts()
        if path.suffix == ".md"
        for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text)
        if "://" not in target and not (path.parent / target).exists()
    ]
    assert not broken


@pytest.mark.parametrize("member", MEMBERS)
def test_pins_cover_every_dependency(member: str) -> None:
    project = tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]
    extras = project.get("optional-dependencies", {}).values()
    assert names(project["dependencies"]) <= pinned("run.txt")
    assert names(dep for extra in extras for dep in extra) <= pinned("run.txt") | pinned("test.txt")


def names(requirements: Iterable[str]) -> set[str]:
    found = {re.split(r"[\[<>=!~; ]", requirement)[0].lower() for requirement in requirements}
    return {name for name in found if not name.startswith("milepost-")}


def pinned(file: str) -> set[str]:
    pins = (ROOT / "deploy" / "requirements" / file).read_text()
    return {name.lower() for name in re.findall(r"^([A-Za-z0-9_.-]+)==", pins, flags=re.MULTILINE)}


def test_versions_move_in_step() -> None:
    versions = {
        tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]["version"]
        for member in MEMBERS
    }
    assert len(versions) == 1
    assert f"## {versions.pop()}" in (ROOT / "CHANGELOG.md").read_text()
