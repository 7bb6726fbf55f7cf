"""Who may know whom, and what may be imported when."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = ("torch", "transformers")


def modules(package: str) -> list[str]:
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in sorted((ROOT / package).rglob("*.py"))
        if not path.stem.startswith("__")
    ]


def imported_by(*names: str) -> set[str]:
    """What a fresh interpreter has imported, at the top level, once it imported `names`."""
    script = f"import sys, {', '.join(names)}; print(*(n.partition('.')[0] for n in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def all_imports(path: Path) -> set[str]:
    """The packages a file imports, at its top or inside its functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("name", modules("core"))
def test_core_module_knows_neither_qt_nor_the_window(name):
    imports = all_imports(ROOT / f"{name.replace('.', '/')}.py")
    assert not imports & {"PySide6", "qasync", "gui", "shiboken6"}


def test_core_that_the_window_uses_imports_neither_torch_nor_qt():
    names = ("errors", "picture", "transcript", "settings", "store", "terminal")
    found = imported_by(*(f"core.{name}" for name in names))
    assert not found & {*HEAVY, "PySide6"}


def test_window_imports_no_torch_before_its_first_paint():
    found = imported_by("gui.app.program")
    assert not found & set(HEAVY)


@pytest.mark.parametrize("name", modules("gui"))
def test_window_module_knows_of_core_what_it_needs_to(name):
    """Only the model's thread opens engines; widgets know neither session nor thread."""
    path = ROOT / f"{name.replace('.', '/')}.py"
    assert not all_imports(path) & set(HEAVY)
    known = path.read_text(encoding="utf-8")
    if name != "gui.session.model_thread":
        assert "core.llava.engine" not in known
        assert "core.open_engine" not in known
    allowed = ("app", "session", "folder_run", "self_test", "model_shelf", "model_care")
    if name.removeprefix("gui.") not in allowed:
        assert "core.settings" not in known or name == "gui.window.settings_dialog"
        assert "gui.session.session" not in known
        assert "gui.session.model_thread" not in known


@pytest.mark.parametrize("arguments", [["--version"], ["--help"], ["caption", "--help"]])
def test_terminal_never_imports_qt(arguments):
    script = (
        "import sys\n"
        "from gui.__main__ import main\n"
        "try:\n"
        f"    main({arguments!r})\n"
        "except SystemExit as end:\n"
        "    assert not end.code\n"
        "assert 'PySide6' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True)


def test_qt_binding_keeps_its_references_to_none(qapp):
    """PySide6 6.12.0 loses one a call on Python 3.11, and the process dies of it."""
    from PySide6.QtCore import QObject

    thing = QObject()
    before = sys.getrefcount(None)
    for _ in range(1000):
        thing.setObjectName("thing")
    assert abs(sys.getrefcount(None) - before) < 500
