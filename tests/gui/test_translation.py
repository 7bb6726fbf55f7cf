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
from PIL import Image
from PySide6.QtCore import Qt
from PySide6.QtWidgets import QComboBox, QTabWidget

from core import errors
from core.device.memory import Card
from core.engine import Failed, Loading
from core.errors import OutOfMemory
from core.hub import DeviceMemory, DownloadOptions, JobKind, ModelJob, find_models, list_entries
from core.picture import Picture
from core.settings import Settings
from core.transcript import BUILT_IN, Answer, Ending, Precision
from core.version import program_version
from gui.models.dialog import ModelsDialog
from gui.models.token_dialog import TokenDialog
from gui.widgets.theme import Theme
from gui.window.commands import Command
from gui.window.help_dialogs import AboutDialog, KeysDialog
from gui.window.main_window import MainWindow
from gui.window.settings_dialog import SettingsDialog
from tests.support.translation import shown_texts, untranslated

GUI = Path(__file__).parents[2] / "gui"
CONVERTED = (
    *(
        "app",
        "batch",
        "conversation",
        "inspector",
        "models",
        "picture",
        "session",
        "widgets",
        "window",
    ),
)
TERMINAL = {"app/self_test.py"}  # Prints, in English.
MODULES = sorted(
    path
    for name in CONVERTED
    for path in (GUI / name).rglob("*.py")
    if path.relative_to(GUI).as_posix() not in TERMINAL
)

# Calls whose strings nobody reads on screen.
UNSEEN = {
    *("setObjectName", "setProperty", "setShortcut", "QKeySequence", "key_text", "findChild"),
    *("debug", "info", "warning", "error", "exception", "critical", "write", "Cancelled"),
    *("setStyle", "call", "create", "TypeVar", "get_all"),
}
NAMES = {
    *("ShowItems", "Update"),  # Of D-Bus.
    *("Onlooker", "Onlooker ", "NVIDIA ", "GeForce "),
}
KEY = re.compile(r"((Ctrl|Shift)\+)*(.|F\d+|Esc|Enter|Return|Tab|PgUp|PgDown|Menu)")
TRANSLATING = {"tr", "translate"}


def is_prose(text: str) -> bool:
    """Whether a string looks like something to read: words, or a word with a capital letter."""
    text = re.sub(r"<[^>]*>?", "", text)  # Markup.
    is_name = text in NAMES or all(KEY.fullmatch(part) for part in text.split(", "))
    return bool(re.search(r"[A-Za-z]{2} [a-z]{2}|^&?[A-Z][a-z]", text)) and not is_name


def called(call: ast.Call) -> str:
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return function.id if isinstance(function, ast.Name) else name


def is_shown(raised: ast.Raise) -> bool:
    """Whether an error has a text for the person: one of ours that is not `Cancelled`."""
    name = called(raised.exc) if isinstance(raised.exc, ast.Call) else ""
    return name != "Cancelled" and hasattr(errors, name)


def is_unread(node: ast.AST) -> bool:
    """Whether nobody reads strings in it: docstrings, keys, what is matched, errors for the log."""
    is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_data = isinstance(node, ast.MatchValue | ast.Subscript)
    return is_docstring or is_data or (isinstance(node, ast.Raise) and not is_shown(node))


def literals(node: ast.AST) -> list[tuple[int, str]]:
    """Line and text of the strings below `node` that somebody may read untranslated."""
    found: list[tuple[int, str]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Call) and called(child) in TRANSLATING | UNSEEN:
            # What is called upon may hold strings too: `self.tr("…").format(…)` is another call.
            found += literals(child.func)
        elif is_unread(child):
            continue
        elif isinstance(child, ast.Constant) and isinstance(child.value, str):
            found.append((child.lineno, child.value))
        else:
            found += literals(child)
    return found


def translations(tree: ast.AST) -> list[ast.Call]:
    calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in calls if called(call) in TRANSLATING]


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


@pytest.fixture
def window(bracketed, qapp, qtbot):
    window = MainWindow(Theme(qapp), (("Describe", "Please describe this image."),))
    qtbot.addWidget(window)
    window.show_empty([])
    return window


def test_window_shows_nothing_untranslated_before_and_after_an_answer(window):
    # The panel of folder runs is not converted yet.
    parts = (window.drop_zone, window.transcript_view, window.prompt_box, window.status_line)
    data = (
        "Please describe this image.",
        "Describe",
        "cat.png",
        "What?",
        "A red square.",
        "Onlooker",
    )
    said = Answer("A red square.", Ending.COMPLETE, 42, 0.46, 0.21)
    assert [untranslated(part, *data) for part in (window.menuBar(), *parts)] == [[]] * 5
    pixels = Image.new("RGB", (300, 200), "red")
    window.show_picture(Picture(Path("cat.png"), pixels, (), (300, 200)))
    window.begin_answer("What?")
    assert [untranslated(part, *data) for part in parts] == [[]] * 4
    window.append("A red square.")
    window.finish(said)
    assert [untranslated(part, *data) for part in (window.menuBar(), *parts)] == [[]] * 5


@pytest.mark.parametrize("command", [Command.KEYS, Command.ABOUT])
def test_dialogs_of_the_help_menu_show_nothing_untranslated(window, command):
    window.show()
    window.commands[command].trigger()
    kind = KeysDialog if command is Command.KEYS else AboutDialog
    (dialog,) = window.findChildren(kind)
    keys = [key for key in shown_texts(dialog) if all(KEY.fullmatch(k) for k in key.split(", "))]
    assert untranslated(dialog, "Onlooker", program_version(), *keys) == []


def test_settings_show_nothing_untranslated(bracketed, qtbot):
    dialog = SettingsDialog(Settings(), cards=[Card(0, "NVIDIA Card", 24 * 10**9, 0)])
    dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose, False)
    qtbot.addWidget(dialog)
    assert untranslated(dialog) == []
    boxes = dialog.findChildren(QComboBox)
    choices = {box.itemText(index) for box in boxes for index in range(box.count())}
    data = {"0: Card, 24 GB", "Card, 24 GB", *(precision.value for precision in Precision)}
    assert {text for text in choices - data if "⟦" not in text} == set()
    (tabs,) = dialog.findChildren(QTabWidget)
    assert all("⟦" in tabs.tabText(index) for index in range(tabs.count()))
