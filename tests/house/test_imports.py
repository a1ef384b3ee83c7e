"""The import rules of ARCHITECTURE.md, kept by reading every file's syntax tree."""

import ast
import sys
from pathlib import Path

import pytest

import protocol

ROOT = Path(protocol.__file__).parents[1]
"""Where the packages are: in the tree, or where the wheel was installed."""

MAY_IMPORT = {
    "protocol": {"attrs", "cattrs", "orjson", "protocol"},
    "daemon/core": {"attrs", "protocol", "daemon.core", "sortedcontainers"},
    "daemon": {"attrs", "trio", "click", "orjson", "psutil", "structlog", "protocol", "daemon"},
    "tui": {"tui"},
    "tui/ctl": {"click", "orjson", "protocol", "tui.ctl"},
    "tui/dashboard": {"attrs", "click", "orjson", "protocol", "rich", "textual", "tui.dashboard"},
}
ALSO = {"protocol/client.py": {"trio"}}
"""Third-party and own packages that a folder may import; the longest matching folder counts."""

PURE = ("protocol", "daemon/core")
IMPURE_STDLIB = {"asyncio", "logging", "random", "secrets", "socket", "threading", "time"}


def _rule(path: str) -> str:
    return max((folder for folder in MAY_IMPORT if path.startswith(folder + "/")), key=len)


def _imports(tree: ast.AST) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "absolute imports only"
            names.add(node.module or "")
    return names


def _sources() -> list[str]:
    return sorted(
        str(path.relative_to(ROOT))
        for package in ("protocol", "daemon", "tui")
        for path in (ROOT / package).rglob("*.py")
    )


@pytest.mark.parametrize("path", _sources())
def test_a_file_imports_only_what_its_folder_may(path: str) -> None:
    rule = _rule(path)
    allowed = MAY_IMPORT[rule] | ALSO.get(path, set())
    pure = rule in PURE and path not in ALSO
    for name in _imports(ast.parse((ROOT / path).read_text())):
        top = name.partition(".")[0]
        if top in sys.stdlib_module_names:
            assert not (pure and top in IMPURE_STDLIB), f"{path} is pure but imports {name}"
        else:
            assert any(name == a or name.startswith(a + ".") for a in allowed), (
                f"{path} may not import {name}"
            )


def test_only_the_codec_structures_messages() -> None:
    users = [p for p in _sources() if "cattrs" in str(_imports(ast.parse((ROOT / p).read_text())))]
    assert users == ["protocol/codec.py"]
