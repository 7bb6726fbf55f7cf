"""Which package may import which, and what may be imported when."""

import ast
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HEAVY = {"torch", "transformers"}
CAN_WAIT = {"numpy", "psutil", "charset_normalizer"}

# Bottom to top. A package imports from levels below its own; packages of one level do not import
# each other. Imports inside functions and under TYPE_CHECKING count.
LAYERS = {
    "core": (
        {"message"},
        {"errors", "words", "vocabulary", "eta", "formatting", "version", "resources"}
        | {"merging", "partial_file"},
        {"files", "clip_tokens"},
        {"write_lock"},
        {"file_identity", "isolation", "locations", "merged_file", "schema_steps", "secret"}
        | {"spelling", "syncing", "transfer"},
        {"picture"},
        {"transcript", "captions"},
        {"model_reference", "trace"},
        {"engine"},
        {"settings", "store", "device"},
        {"batch", "engine_group", "workspace", "generation"},
        {"llava"},
        {"checkpoint"},
        {"chat", "remote", "hub", "engine_packs"},
        {"vetting"},
        {"open_engine"},
        {"serve"},
        {"terminal"},
    ),
    "gui": (
        {"widgets"},
        {"picture"},
        {"inspector"},
        {"conversation"},
        {"batch", "engines"},
        {"workspace"},
        {"session"},
        {"models", "window"},
        {"app"},
        {"__main__"},
    ),
}
LEVEL = {
    (top, name): level
    for top, levels in LAYERS.items()
    for level, names in enumerate(levels)
    for name in names
}
# They have a face: their `__init__` exports what others use. That of exports is apart from that of
# the workspace, which needs nothing of it.
WITH_A_FACE = {
    *("core.words", "core.picture", "core.batch", "core.hub"),
    *("core.workspace", "core.workspace.export"),
}
NEVER_TORCH = (
    *(
        "core.words",
        "core.picture",
        "core.batch",
        "core.captions",
        "core.workspace",
        "core.isolation",
        "core.remote",
    ),
    *("core.transfer", "core.engine_packs", "core.engine_group"),
)


def modules(*packages: str) -> list[str]:
    return [
        ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for package in packages
        for path in paths_of(ROOT / package.replace(".", "/"))
    ]


def paths_of(package: Path) -> list[Path]:
    """Its modules; a package may be one module."""
    found = sorted(package.rglob("*.py")) or [package.with_suffix(".py")]
    assert all(path.is_file() for path in found), package
    return found


def path_of(module: str) -> Path:
    return ROOT / f"{module.replace('.', '/')}.py"


@cache
def tree_of(module: str) -> ast.Module:
    return ast.parse(path_of(module).read_text(encoding="utf-8"))


@cache
def names_imported_from(module: str) -> set[tuple[str, str]]:
    """Each name that a module takes from another, with that one in front."""
    nodes = (node for node in ast.walk(tree_of(module)) if isinstance(node, ast.ImportFrom))
    return {(node.module or "", alias.name) for node in nodes for alias in node.names}


@cache
def imports_of(module: str) -> list[tuple[str, int]]:
    """Each module that a module of ours imports, at its top or inside its functions, by line."""
    found = []
    for node in ast.walk(tree_of(module)):
        if isinstance(node, ast.Import):
            found += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{module}:{node.lineno} is a relative import"
            for alias in node.names:
                below = f"{node.module}.{alias.name}"
                is_module = path_of(below).is_file() or path_of(below).with_suffix("").is_dir()
                found.append((below if is_module else node.module, node.lineno))
    return found


def part_of(module: str) -> tuple[str, str]:
    """`core.llava.engine` belongs to the part ("core", "llava")."""
    top, _, rest = module.partition(".")
    return top, rest.partition(".")[0]


def face_of(module: str) -> str | None:
    """The innermost package with a face that a module stands in, or None."""
    around = [name for name in WITH_A_FACE if f"{module}.".startswith(f"{name}.")]
    return max(around, key=len, default=None)


def imported_by(*names: str) -> set[str]:
    """What a fresh interpreter has imported, at the top level, once it imported `names`."""
    script = f"import sys, {', '.join(names)}; print(*(n.partition('.')[0] for n in sys.modules))"
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def all_imports(*packages: str) -> Iterator[tuple[str, str, str]]:
    """Each import in these packages: the module, what it imports, and a sentence with the line."""
    for module in modules(*packages):
        for imported, line in imports_of(module):
            yield module, imported, f"{module}:{line} imports {imported}"


def is_below(other: tuple[str, str], mine: tuple[str, str]) -> bool:
    """Whether a part of the program may be imported by another; `core` as a whole by nobody."""
    if other[0] != mine[0]:
        return (mine[0], other[0]) == ("gui", "core")
    return bool(other[1]) and LEVEL[other] < LEVEL[mine]


def test_modules_import_only_what_stands_below_their_package():
    wrong = []
    for module, imported, where in all_imports("core", "gui"):
        mine, other = part_of(module.removesuffix(".__init__")), part_of(imported)
        # `core` and `gui` themselves stand on no level.
        if mine[1] and other[0] in LAYERS and other != mine and not is_below(other, mine):
            wrong.append(where)
    assert not wrong, "\n".join(wrong)


def test_every_package_stands_in_the_contract():
    assert {part_of(m.removesuffix(".__init__")) for m in modules("core", "gui")} <= {
        *LEVEL,
        ("core", ""),
        ("gui", ""),
    }


# They import numpy, which the face must not.
IMPORTED_BY_NAME = ("core.picture.pixel_values", "core.picture.bicubic")


def test_package_with_a_face_is_imported_by_its_face():
    wrong = []
    for module, imported, where in all_imports("core", "gui"):
        face = face_of(imported)
        is_outside = face and part_of(module) != part_of(imported)
        if is_outside and imported not in (face, *IMPORTED_BY_NAME):
            wrong.append(f"{where}, not {face}")
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("package", sorted(WITH_A_FACE))
def test_face_exports_only_what_other_packages_use(package):
    face = tree_of(f"{package}.__init__")
    exported = {
        alias.asname or alias.name
        for node in face.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    others = [one for one in modules("core", "gui") if part_of(one) != part_of(package)]
    used = {name for one in others for face, name in names_imported_from(one) if face == package}
    assert exported - used == set()


def assert_no_import(packages: Sequence[str], forbidden: Callable[[str], bool]) -> None:
    wrong = [where for _, imported, where in all_imports(*packages) if forbidden(imported)]
    assert not wrong, "\n".join(wrong)


def test_core_imports_neither_qt_nor_the_window():
    windows = {"PySide6", "qasync", "gui", "shiboken6"}
    assert_no_import(["core"], lambda one: one.partition(".")[0] in windows)


def test_window_imports_no_torch():
    assert_no_import(["gui"], lambda one: one.partition(".")[0] in HEAVY)


def test_only_the_model_thread_opens_engines():
    openers = {"core.llava.engine", "core.chat.engine", "core.open_engine"}
    importing = {module for module, imported, _ in all_imports("gui") if imported in openers}
    assert importing <= {"gui.session.engine_start"}


def test_widgets_know_no_settings():
    widgets = ("gui.widgets", "gui.picture", "gui.conversation")
    assert_no_import(widgets, "core.settings".__eq__)


def test_engines_know_no_settings():
    """Nor what validates them: it would take time and memory while a model loads."""
    packages = (
        *("core.device", "core.generation", "core.llava", "core.checkpoint", "core.chat"),
        *("core.vetting", "core.open_engine"),
    )
    assert_no_import(packages, {"core.settings", "pydantic"}.__contains__)


def test_core_that_the_window_uses_imports_neither_torch_nor_qt():
    names = ("errors", "picture", "words", "transcript", "settings", "store", "batch", "hub")
    found = imported_by(*(f"core.{name}" for name in names), "core.terminal.main")
    assert not found & {*HEAVY, "PySide6"}


def test_importing_a_package_without_torch_imports_no_torch():
    names = [name.removesuffix(".__init__") for name in modules(*NEVER_TORCH)]
    names = [name for name in names if not name.endswith("__main__")]
    script = (
        "import importlib, sys\n"
        "class Watch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] in forbidden:\n"
        "            print(module, 'imports', name)\n"
        "            raise ModuleNotFoundError(name)\n"
        f"forbidden = {[*HEAVY, 'PySide6']!r}\n"
        "sys.meta_path.insert(0, Watch())\n"
        f"for module in {names!r}:\n"
        "    try:\n"
        "        importlib.import_module(module)\n"
        "    except ModuleNotFoundError as error:\n"
        "        assert error.name in (None, *forbidden), error\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert not run.stdout, run.stdout


def test_window_imports_nothing_before_its_first_paint_that_can_wait():
    """Besides torch: what a tenth of the time until then would go to."""
    assert not imported_by("gui.app.program") & {*HEAVY, *CAN_WAIT}


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
