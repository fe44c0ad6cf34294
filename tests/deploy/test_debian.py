"""The Debian package: built from the pins, complete, and nothing in it is done twice on the gateway."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
SITE = "usr/lib/milepost-agent/site"

pytestmark = pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="no dpkg here")


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The built package."""
    folder = tmp_path_factory.mktemp("deb")
    built = subprocess.run(
        [DEPLOY / "debian" / "build", sys.executable, folder], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr[-2000:]
    return Path(built.stdout.strip())


@pytest.fixture(scope="module")
def tree(package: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is in it, unpacked."""
    folder = tmp_path_factory.mktemp("tree")
    subprocess.run(["dpkg-deb", "-x", package, folder], check=True)
    return folder


def field(package: Path, name: str) -> str:
    return subprocess.run(
        ["dpkg-deb", "-f", package, name], capture_output=True, text=True, check=True
    ).stdout.strip()


def test_it_wants_the_python_that_it_was_compiled_for(package: Path) -> None:
    major, minor = sys.version_info[:2]
    depends = field(package, "Depends")
    assert f"python3 (>= {major}.{minor})" in depends
    assert f"python3 (<< {major}.{minor + 1})" in depends
    assert (
        field(package, "Version")
        == re.search(
            r'^version = "(.+)"', (ROOT / "agent" / "pyproject.toml").read_text(), flags=re.MULTILINE
        )[1]
    )


def test_it_holds_the_unit_the_commands_and_the_example(package: Path, tree: Path) -> None:
    unit = (tree / "lib/systemd/system/milepost-agent.service").read_text()
    (start,) = re.findall(r"^ExecStart=(.+)$", unit, flags=re.MULTILINE)
    script = next(word for word in start.split() if word.startswith("/usr/lib/milepost-agent"))
    assert (tree / script.lstrip("/")).is_file()
    command = tree / "usr/bin/milepost-agent"
    assert stat.S_IMODE(command.stat().st_mode) == 0o755
    conffiles = subprocess.run(
        ["dpkg-deb", "-I", package, "conffiles"], capture_output=True, text=True, check=True
    )
    assert conffiles.stdout.split() == ["/etc/milepost/agent.example.toml"]
    assert not (tree / "etc/milepost/agent.toml").exists(), "it would start without being configured"


def test_all_in_it_belongs_to_root_and_nobody_else_may_write_it(package: Path) -> None:
    listed = subprocess.run(["dpkg-deb", "-c", package], capture_output=True, text=True, check=True)
    lines = [line.split() for line in listed.stdout.splitlines()]
    assert {line[1] for line in lines} == {"root/root"}
    assert not [line for line in lines if line[0][5] == "w" or line[0][8] == "w"]
    assert lines[0][0] == "drwxr-xr-x"


def test_its_command_runs_from_its_own_files_alone_and_writes_none(tree: Path) -> None:
    launcher = (tree / "usr/bin/milepost-agent").read_text()
    moved = launcher.replace("/usr/lib/milepost-agent", str(tree / "usr/lib/milepost-agent"))
    before = _files(tree)
    command = [sys.executable, "-I", "-S", "-c", moved, "config", "show"]
    example = tree / "etc/milepost/agent.example.toml"
    done = subprocess.run([*command, "--config", example], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert 'host = "milepost.example"' in done.stdout
    assert _files(tree) == before, "a module was not compiled, or compiled otherwise than it is run"


def _files(tree: Path) -> set[tuple[Path, int]]:
    return {(path, path.stat().st_mtime_ns) for path in tree.rglob("*") if path.is_file()}


def test_what_it_carries_is_what_was_tested() -> None:
    pins = {
        name: set(re.findall(r"^([A-Za-z0-9_.-]+==\S+)", (DEPLOY / "requirements" / name).read_text(), re.M))
        for name in ("agent.txt", "vm.txt", "test.txt")
    }
    assert pins["agent.txt"]
    assert pins["agent.txt"] <= pins["test.txt"]
    assert pins["vm.txt"] <= pins["test.txt"]


@pytest.mark.parametrize("script", ["postinst", "prerm", "postrm", "build", "try", "try-inside", "try-vm"])
def test_the_scripts_are_shell(script: str) -> None:
    assert subprocess.run(["sh", "-n", DEPLOY / "debian" / script], check=False).returncode == 0


def test_a_purge_keeps_the_samples_unless_it_is_told(tmp_path: Path) -> None:
    script = (DEPLOY / "debian" / "postrm").read_text().replace("/var/lib/milepost", str(tmp_path / "state"))
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "buffer.db").write_bytes(b"samples")
    quiet = {"PATH": str(tmp_path), "HOME": str(tmp_path)}  # no helper of a real system is reached
    for name in ("ls", "rm"):
        (tmp_path / name).symlink_to(shutil.which(name) or "")

    def purge(extra: dict[str, str]) -> str:
        run = ["/bin/sh", "-c", script, "postrm", "purge"]
        return subprocess.run(run, env=quiet | extra, capture_output=True, text=True, check=True).stdout

    assert "it may hold samples" in purge({})
    assert (tmp_path / "state" / "buffer.db").exists()
    purge({"MILEPOST_PURGE_BUFFER": "yes"})
    assert not (tmp_path / "state").exists()
