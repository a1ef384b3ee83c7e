"""The layers of the dashboard: link, store, view, widgets, pages; each sees only those before."""

import ast
from pathlib import Path

import pytest

import protocol

ROOT = Path(protocol.__file__).parents[1]
DASHBOARD = ROOT / "tui" / "dashboard"

LAYERS = ["link", "store", "view", "widgets", "pages", "screens"]
"""A layer may import those before it. Of the link, only its news is for the others."""
TOOLS = {
    "link": {"attrs", "orjson"},
    "store": {"attrs"},
    "view": {"attrs"},
    "widgets": {"attrs", "rich", "textual"},
    "pages": {"textual"},
    "screens": {"rich", "textual"},
}
SOCKETS = {"asyncio", "socket", "selectors"}


def _imports(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
    return names


def _files() -> list[str]:
    return sorted(
        str(path.relative_to(DASHBOARD))
        for layer in LAYERS
        for path in (DASHBOARD / layer).rglob("*.py")
    )


@pytest.mark.parametrize("name", _files())
def test_a_file_imports_only_layers_before_its_own(name: str) -> None:
    layer = name.split("/", maxsplit=1)[0]
    before = LAYERS[: LAYERS.index(layer) + 1]
    for imported in _imports(DASHBOARD / name):
        parts = imported.split(".")
        if parts[:2] == ["tui", "dashboard"]:
            assert parts[2] in before, imported
            if layer != "link" and parts[2] == "link":
                assert parts[3] == "news", f"{name}: only the link's news is for others"
        elif parts[0] in {"attrs", "orjson", "rich", "textual", "trio", "click", "cattrs"}:
            assert parts[0] in TOOLS[layer], imported
        if layer != "link":
            assert parts[0] not in SOCKETS, f"{name}: only the link reads sockets"


def test_only_the_dialler_and_the_command_line_know_asyncio() -> None:
    users = {
        str(path.relative_to(DASHBOARD))
        for path in DASHBOARD.rglob("*.py")
        if "asyncio" in _imports(path)
    }
    assert users == {"link/dialler.py", "once.py", "__main__.py"}


def test_text_from_the_cluster_is_never_markup() -> None:
    """Every Static says markup=False, and nothing uses the widgets that parse markup."""
    for path in DASHBOARD.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Name)):
                continue
            assert node.func.id not in {"Label", "DataTable", "RichLog", "OptionList", "Tree"}
            if node.func.id == "Static":
                assert any(
                    keyword.arg == "markup" and ast.unparse(keyword.value) == "False"
                    for keyword in node.keywords
                ), path
