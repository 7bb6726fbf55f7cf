"""Pages that scroll are kept by whoever makes them."""

import ast
from pathlib import Path

GUI = Path(__file__).parents[3] / "gui"
MAKERS = {"ScrolledPage", "QScrollArea", "place_below"}


def made_in(tree: ast.AST) -> list[ast.Call]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in MAKERS]


def lost_in(tree: ast.AST) -> list[int]:
    """Lines that make a page and hand it on without a name."""
    kept = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.Return)
    ]
    return [call.lineno for call in made_in(tree) if call not in kept]


def test_no_page_is_known_to_its_parent_alone():
    """Python's garbage collection deleted such a page while its dialog was open."""
    lost, found = [], 0
    for path in sorted(GUI.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found += len(made_in(tree))
        lost += [f"{path.relative_to(GUI)}:{line}" for line in lost_in(tree)]
    assert found > 8
    assert not lost


def test_page_without_a_name_is_found():
    assert lost_in(ast.parse("column.addWidget(ScrolledPage(page), 1)")) == [1]
    assert not lost_in(ast.parse("self._page = ScrolledPage(page)"))
