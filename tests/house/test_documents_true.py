"""What the documents name exists: commands with their options, targets of make, files and rooms."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from milepost_agent.cli import main as agent_main
from milepost_server.cli import main as server_main
from milepost_simulator.cli import main as simulator_main

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = {"milepost-agent": agent_main, "milepost-server": server_main, "milepost-sim": simulator_main}
OVERVIEWS = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
PAGES = [*(ROOT / name for name in (*OVERVIEWS, "CHANGELOG.md")), *(ROOT / "docs").glob("*.md")]
TEXTS = {page.relative_to(ROOT): re.sub(r"\\\n *", "", page.read_text(encoding="utf-8")) for page in PAGES}
CODE = re.compile(r"`([^`\n]+)`|^    (.+)$", re.MULTILINE)
COMMAND = re.compile(rf"({'|'.join(PROGRAMS)})((?: [^#|;&)]*)?)")
MEMBERS = ("protocol", "agent", "server", "simulator", "tests", "deploy", "docs")
PATHS = [
    path.relative_to(ROOT).as_posix()
    for member in MEMBERS
    for path in (ROOT / member, *(ROOT / member).rglob("*"))
    if "__pycache__" not in path.parts
]


def code_of(text: str) -> list[str]:
    return [inline or block for inline, block in CODE.findall(text)]


def commands() -> list[tuple[str, str]]:
    """Each program with its words, once, from every page; to podman, the names are those of a container."""
    codes = [code for text in TEXTS.values() for code in code_of(text) if not code.startswith("podman ")]
    found = (match for code in codes for match in COMMAND.findall(code))
    return sorted({(program, words.strip()) for program, words in found})


def exists(name: str) -> bool:
    """Whether a file or folder is called ``name`` at its end; ``...`` stands for folders in between."""
    end = re.compile("(?:^|/)" + re.escape(name.rstrip("/")).replace(r"\.\.\.", ".+") + "$")
    return any(end.search(path) for path in PATHS)


@pytest.mark.parametrize(("program", "words"), commands(), ids=map(" ".join, commands()))
def test_every_command_is_there_with_its_options(
    program: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path, *_ = re.split(r" (?=-)", f" {words}", maxsplit=1)
    asked = [*path.split(), "--help"]
    main = PROGRAMS[program]
    if isinstance(main, click.Command):
        done = CliRunner().invoke(main, asked)
        status, told = done.exit_code, done.output
    else:
        with pytest.raises(SystemExit) as ended:
            main(asked)
        status, told = ended.value.code, capsys.readouterr().out
    assert status == 0, told
    options = set(re.findall(r"(?<![\w-])--[a-z][\w-]*", told))
    assert set(re.findall(r"(?<!\S)--[a-z][\w-]*", words)) <= options


def test_every_target_of_make_is_there() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    runs = [
        run for text in TEXTS.values() for code in code_of(text) for run in re.findall(r"^make (.+)", code)
    ]
    named = {
        word for run in runs for word in itertools.takewhile(re.compile("[a-z-]+").fullmatch, run.split())
    }
    assert {"demo", "test", "check", "crash"} <= named <= targets


@pytest.mark.parametrize("page", TEXTS, ids=str)
def test_every_module_is_there(page: Path) -> None:
    named = {code for code in code_of(TEXTS[page]) if re.fullmatch(r"[\w./-]+\.py", code)}
    assert {name for name in named if not exists(name)} == set()


@pytest.mark.parametrize("page", OVERVIEWS)
def test_every_room_is_there(page: str) -> None:
    named = {code for code in code_of(TEXTS[Path(page)]) if re.fullmatch(r"[\w./-]+/", code)}
    assert {name for name in named if not exists(name)} == set()


def test_the_architecture_names_every_room() -> None:
    rooms = {
        path.name
        for package in ROOT.glob("*/src/milepost_*")
        for path in package.iterdir()
        if (path / "__init__.py").exists()
    }
    assert len(rooms) > 20
    assert {room for room in rooms if f"`{room}/`" not in TEXTS[Path("ARCHITECTURE.md")]} == set()
