"""No function, class or constant is there for its tests alone: each is used by the product, or named here."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PARTS = ("protocol", "agent", "server", "simulator")
OTHERS = ("pyproject.toml", "Makefile", *(f"{part}/pyproject.toml" for part in PARTS))
WORD = re.compile(r"[A-Za-z_]\w*")
CALLED_FROM_OUTSIDE = {
    "settings_customise_sources": "pydantic-settings",
    "capture_signals": "uvicorn",
    "process_bind_param": "SQLAlchemy",
    "process_result_value": "SQLAlchemy",
    "list_commands": "click",
    "get_command": "click",
    "connection_made": "asyncio",
    "data_received": "asyncio",
    "connection_lost": "asyncio",
    "unregister": "selectors",
    "get_map": "selectors",
}
FOR_TESTS = {"ManualClock", "PROMPTLY", "START_V_MIN", "extended_car", "open_files"}
"""Of the simulator, which is a tool for tests."""
KNOWN = {*CALLED_FROM_OUTSIDE, *FOR_TESTS}


def defined(tree: ast.Module) -> Iterator[tuple[str, ast.stmt]]:
    """Functions, classes, methods and constants of a module, but for those that a decorator registers."""
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from ((target.id, node) for target in targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not any(re.search(r"\.|command|group", ast.unparse(each)) for each in node.decorator_list):
                yield node.name, node
            methods = node.body if isinstance(node, ast.ClassDef) else []
            for method in methods:
                if isinstance(method, ast.FunctionDef | ast.AsyncFunctionDef):
                    yield method.name, method


def test_nothing_is_there_for_tests_alone() -> None:
    texts = {path: path.read_text() for part in PARTS for path in (ROOT / part / "src").rglob("*.py")}
    words = {path: Counter(WORD.findall(text)) for path, text in texts.items()}
    everywhere = sum(words.values(), Counter[str]())
    pages = [*(ROOT / "server" / "src").rglob("*.html"), *(ROOT / name for name in OTHERS)]
    elsewhere = {word for path in pages for word in WORD.findall(path.read_text())}
    unused = set()
    for text in texts.values():
        lines = text.splitlines()
        for name, node in defined(ast.parse(text)):
            within = WORD.findall("\n".join(lines[node.lineno - 1 : node.end_lineno])).count(name)
            if not name.startswith("_") and everywhere[name] <= within and name not in elsewhere:
                unused.add(name)
    assert unused == KNOWN
