"""Strings of the window can be translated: found by lupdate in the source, and used at run time.

`CONVERTED` grows until it is all of `gui`.
"""

import ast
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import PySide6
import pytest
from PySide6.QtCore import Qt

from core.engine import Failed, Loading
from core.errors import OutOfMemory
from core.hub import DeviceMemory, DownloadOptions, JobKind, ModelJob, find_models, list_entries
from core.transcript import BUILT_IN
from gui.models.dialog import ModelsDialog
from gui.models.token_dialog import TokenDialog
from gui.widgets.theme import Theme
from tests.support.translation import untranslated

GUI = Path(__file__).parents[2] / "gui"
CONVERTED = ("conversation", "inspector", "models", "picture", "widgets")
MODULES = sorted(path for name in CONVERTED for path in (GUI / name).rglob("*.py"))

# Calls whose strings nobody reads on screen.
UNSEEN = {
    *(
        "setObjectName",
        "setProperty",
        "setShortcut",
        "QKeySequence",
        "key_text",
        "findChild",
        "setStyle",
    ),
    *("debug", "info", "warning", "error", "exception", "call", "create"),
}
NAMES = {"ShowItems"}  # A method of D-Bus.


def is_prose(text: str) -> bool:
    """Whether a string looks like something to read: words, or a word with a capital letter."""
    return bool(re.search(r"[A-Za-z]{2} [a-z]{2}|^&?[A-Z][a-z]", text)) and text not in NAMES


def called(call: ast.Call) -> str:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return function.id if isinstance(function, ast.Name) else name


def is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def literals(node: ast.AST) -> list[tuple[int, str]]:
    """Line and text of strings below `node` that are shown, as far as it looks, untranslated.

    Errors are for the log, and what is matched is stored data.
    """
    found: list[tuple[int, str]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and called(child) in {"tr", "translate", *UNSEEN}:
            # What is called upon may hold strings too: `self.tr("…").format(…)` is another call.
            found += literals(child.func)
        elif isinstance(child, ast.Raise | ast.MatchValue) or is_docstring(child):
            continue
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            found.append((child.lineno, child.value))
        else:
            found += literals(child)
    return found


def translations(tree: ast.AST) -> list[ast.Call]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if called(call) in {"tr", "translate"}]


def name_of(path: Path) -> str:
    return path.relative_to(GUI).as_posix()


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_sentence_of_a_converted_package_goes_through_tr(path):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert [one for one in literals(tree) if is_prose(one[1])] == []


def test_search_for_sentences_finds_them_in_each_disguise():
    source = '''
class Panel:
    """A docstring is not shown."""
    TITLE = "Not translated"
    def show(self, count):
        self.setObjectName("Panel name")
        log.info("Written to a log")
        self.label.setText(f"{count} of them")
        self.label.setToolTip(self.tr("Translated {name}").format(name="But this is not"))
        return {"kind": "Close"}
'''
    found = [text for _, text in literals(ast.parse(source)) if is_prose(text)]
    assert found == ["Not translated", " of them", "But this is not", "Close"]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_translated_strings_are_literals(path):
    for call in translations(ast.parse(path.read_text(encoding="utf-8"))):
        assert all(isinstance(argument, ast.Constant) for argument in call.args), call.lineno


def test_tool_for_translators_finds_every_string(tmp_path):
    tools = [path for path in Path(PySide6.__file__).parent.rglob("lupdate*") if path.is_file()]
    if not tools:
        pytest.skip("PySide6 has no lupdate here")
    out = tmp_path / "gui.ts"
    command = [tools[0], "-silent", *MODULES, "-ts", out]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    found = {source.text for source in ElementTree.parse(out).iter("source")}
    wanted = set()
    for path in MODULES:
        for call in translations(ast.parse(path.read_text(encoding="utf-8"))):
            text = call.args[0 if called(call) == "tr" else 1]
            assert isinstance(text, ast.Constant)
            wanted.add(text.value)
    assert wanted
    assert found == wanted


# At run time


def test_model_dialog_shows_nothing_untranslated(bracketed, qapp, qtbot, tmp_path):
    dialog = ModelsDialog(Theme(qapp))
    qtbot.addWidget(dialog)
    assert untranslated(dialog) == []
    memory = DeviceMemory("cuda:0", "A card", 8_000_000_000)
    entries = list_entries(find_models([], tmp_path), "cuda:0")
    names = {text for entry in entries for text in (entry.name, entry.hub_id, entry.licence)}
    data = (*filter(None, names), "A card", "The memory is full.", "Reading", str(tmp_path))
    dialog.show_entries(entries, memory)
    for options in (
        DownloadOptions(tmp_path, False),
        DownloadOptions(None, True),
        DownloadOptions(None, True, is_bound=True),
    ):
        dialog.show_options(options)
        for entry in entries:
            dialog.choose(entry.key)
            assert untranslated(dialog, *data) == []
    dialog.show_model_state(Loading(0.5, "Reading"), BUILT_IN)
    dialog.choose(BUILT_IN)
    assert untranslated(dialog, *data) == []
    dialog.show_model_state(Failed(OutOfMemory("The memory is full.", "8-bit")), BUILT_IN)
    assert untranslated(dialog, *data) == []
    for kind in JobKind:
        dialog.show_job(entries[1].key, ModelJob(kind))
        dialog.choose(entries[1].key)
        assert untranslated(dialog, *data) == []


def test_rows_of_the_model_list_are_translated(bracketed, qapp, qtbot, tmp_path):
    dialog = ModelsDialog(Theme(qapp))
    qtbot.addWidget(dialog)
    dialog.show_entries(
        list_entries(find_models([], tmp_path), "cuda:0"), DeviceMemory("cpu", "A", 10**10)
    )
    model = dialog.list.model()
    role = Qt.ItemDataRole.DisplayRole
    rows = [model.index(number, 0).data(role) for number in range(model.rowCount())]
    assert "⟦On this computer⟧" in rows
    assert "⟦Available to download⟧" in rows


def test_token_dialog_shows_nothing_untranslated(bracketed, qtbot):
    dialog = TokenDialog()
    qtbot.addWidget(dialog)
    assert untranslated(dialog, "hf_…") == []
