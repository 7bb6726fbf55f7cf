"""Strings of the window and sentences of core can be translated: lupdate finds them, Qt shows them.

Those that are not are listed, with the reason.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import Qt, QTranslator
from PySide6.QtWidgets import QComboBox, QTabWidget

from core import errors
from core.device.memory import Card
from core.engine import Failed, Loading
from core.errors import OutOfMemory, StoreError
from core.hub import DeviceMemory, DownloadOptions, JobKind, ModelJob, find_models, list_entries
from core.llava.prompt import SYSTEM
from core.message import joined, translatable
from core.picture import Picture
from core.settings import Settings
from core.transcript import BUILT_IN, Answer, Ending, Precision
from core.version import program_version
from gui.models.dialog import ModelsDialog
from gui.models.token_dialog import TokenDialog
from gui.widgets.theme import Theme
from gui.widgets.translated import translated, translated_all
from gui.window.commands import Command
from gui.window.help_dialogs import AboutDialog, KeysDialog
from gui.window.main_window import MainWindow
from gui.window.settings_dialog import SettingsDialog
from tests.support import core_sentences
from tests.support import window_alone as alone
from tests.support.core_sentences import called
from tests.support.translation import (
    LUPDATE_OPTIONS,
    ROOT,
    collect_strings,
    compile_translation,
    shown_texts,
    untranslated,
)

GUI = Path(__file__).parents[2] / "gui"
# Two print, in English; one translates what `core` says.
OTHERS = {"__main__.py", "app/self_test.py", "widgets/translated.py"}
MODULES = sorted(
    path for path in GUI.rglob("*.py") if path.relative_to(GUI).as_posix() not in OTHERS
)

# Calls whose strings nobody reads on screen.
UNSEEN = {
    *("setObjectName", "setProperty", "setShortcut", "QKeySequence", "key_text", "findChild"),
    *("debug", "info", "warning", "error", "exception", "critical", "write", "Cancelled"),
    *("setStyle", "call", "create", "TypeVar", "get_all"),
}
NAMES = {
    *("ShowItems", "Update"),  # Of D-Bus.
    "advanced micro",  # A maker, as Windows calls it.
    "by hand",  # The recipe of an edited caption, in journals.
    *("CUDA error: ", "driver on your system is too old", "model name"),  # Read, not said.
    *("can't allocate memory", "not enough memory"),
    r"[Tt]ried to allocate ([\d.]+) (bytes|[KMGT]iB)",
    *("picture and prompt prepared", "embeddings joined"),  # Stages of a trace.
    "picture seen: vision tower and projector",
    "an unknwon wrod",  # Read once to make an index.
    "hub access token",  # Its name in the keyring.
    *("CanSuspend", "CanPowerOff"),  # What logind is asked.
    'tell application "System Events" to shut down',  # What a Mac is told.
    *("chat template", "image processor"),  # Values that parent and child exchange.
    *("Onlooker", "Onlooker ", "NVIDIA ", "GeForce "),
}
KEY = re.compile(
    r"((Ctrl|Shift|Alt)\+)*(.|F\d+|Left|Up|Down|Esc|Enter|Return|Tab|PgUp|PgDown|Menu|Del)"
)
TRANSLATING = {"tr", "translate", "translatable"}

CORE = GUI.parent / "core"
# Strings that are no sentences for the person: abbreviations, words of questions that models are
# asked, the log, files in Markdown, and what a child process or a graphics card reads. The terminal
# prints in English, and the server answers other programs in English.
NO_SENTENCES = {
    *(
        "captions/sentences.py",
        "trace.py",
        "llava/tracing.py",
        "llava/forward.py",
        "chat/module_forward.py",
        "chat/tracing.py",
    ),
    *("llava/kernels", "chat/template_child.py", "isolation", "vetting/trial.py", "words"),
    *("terminal", "serve", "remote/canary.py"),
}
CORE_MODULES = sorted(
    path
    for path in CORE.rglob("*.py")
    if not any(path == CORE / one or CORE / one in path.parents for one in NO_SENTENCES)
)
OUR_ERRORS = {
    *(name for name in vars(errors) if isinstance(getattr(errors, name), type)),
    *("DiskFull", "UnknownEncoding", "UnreadableFile", "XmpError"),
}


def is_prose(text: str) -> bool:
    """Whether a string looks like something to read: words, or a word with a capital letter."""
    text = re.sub(r"<[^>]*>?", "", text)  # Markup.
    is_name = text in NAMES or all(KEY.fullmatch(part) for part in text.split(", "))
    return bool(re.search(r"[A-Za-z]{2} [a-z]{2}|^&?[A-Z][a-z]", text)) and not is_name


def is_shown(raised: ast.Raise) -> bool:
    """Whether an error has a text for the person: one of ours that is not `Cancelled`."""
    name = called(raised.exc) if isinstance(raised.exc, ast.Call) else ""
    return name != "Cancelled" and name in OUR_ERRORS


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
    """All but the method of bytes, which takes a table alone."""
    found = core_sentences.calls(tree, "tr", "translate")
    return [call for call in found if called(call) == "tr" or len(call.args) > 1]


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def assert_no_fault(found: dict[Path, list]) -> None:
    """One test for all modules names every fault in them."""
    lines = [f"{path.relative_to(GUI.parent)}: {one}" for path in found for one in found[path]]
    assert not lines, "\n".join(lines)


def test_every_sentence_of_the_window_goes_through_tr():
    found = {path: [one for one in literals(tree_of(path)) if is_prose(one[1])] for path in MODULES}
    assert_no_fault(found)


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


def test_translated_strings_are_literals():
    found = {
        path: [
            f"line {call.lineno}"
            for call in translations(tree_of(path))
            if not all(isinstance(argument, ast.Constant) for argument in call.args)
        ]
        for path in MODULES
    }
    assert_no_fault(found)


def test_percentages_are_written_in_one_way():
    """As 62%, in what is translated and in what is not."""
    found = {
        path: [
            f"line {node.lineno}"
            for node in ast.walk(tree_of(path))
            if isinstance(node, ast.Constant)
            and isinstance(node.value, str)
            and re.search(r"(^|[\d}]) %( |$)", node.value)
        ]
        for path in MODULES
    }
    assert_no_fault(found)


def found_by_lupdate(folder: Path, *arguments: object) -> set[str | None]:
    """The texts that translators get."""
    root = collect_strings(folder / "found.ts", *arguments)
    return {source.text for source in root.iter("source")}


def test_tool_for_translators_finds_every_string(tmp_path):
    wanted = set()
    for path in MODULES:
        for call in translations(tree_of(path)):
            text = call.args[0 if called(call) == "tr" else 1]
            assert isinstance(text, ast.Constant)
            wanted.add(text.value)
    assert wanted
    assert found_by_lupdate(tmp_path, *MODULES) == wanted


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
    alone.show_picture(window, Picture(Path("cat.png"), pixels, (), (300, 200)))
    alone.begin_answer(window, "What?")
    assert [untranslated(part, *data) for part in parts] == [[]] * 4
    window.transcript_view.append("A red square.")
    alone.finish(window, said)
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


# The sentences of core


def is_sentence(text: str) -> bool:
    return text not in {*NAMES, SYSTEM} and core_sentences.is_sentence(text)


def test_every_sentence_of_core_is_marked():
    found = {path: unmarked_sentences(tree_of(path)) for path in CORE_MODULES}
    assert_no_fault(found)


def unmarked_sentences(tree: ast.Module) -> list:
    return [
        *core_sentences.faults(tree),
        *core_sentences.raised_unmarked(tree, OUR_ERRORS - {"Cancelled"}),
        *(one for one in literals(tree) if is_sentence(one[1])),
    ]


def test_search_for_sentences_of_core_finds_each_kind_of_fault():
    source = """
def fail(name):
    raise StoreError(f"{name} is gone.")
    raise StoreError("Plain " + name)
    note = f"The file {name} is gone."
    raise StoreError(translatable("core", f"{name} is gone."))
    raise StoreError(translatable("core", "{} is gone.").format(name))
    raise StoreError(translatable("core", "{name} is gone.").format(path=name))
    raise StoreError(translatable("core", "{name} is gone.").format(name=name))
    raise ValueError(f"{name} is for developers")
"""
    tree = ast.parse(source)
    lines = [int(fault.split(":")[0].split()[1]) for fault in core_sentences.faults(tree)]
    assert sorted({*lines}) == [6, 7, 8]
    assert len(list(core_sentences.raised_unmarked(tree, OUR_ERRORS))) == 2
    found = {line for line, text in literals(tree) if core_sentences.is_sentence(text)}
    assert found == {3, 5}


def test_tool_for_translators_finds_every_sentence_of_core(tmp_path):
    wanted = {
        text for path in CORE.rglob("*.py") for _, text in core_sentences.templates(tree_of(path))
    }
    assert len(wanted) > 10
    options = (*LUPDATE_OPTIONS, "-extensions", "py")
    assert found_by_lupdate(tmp_path, *options, CORE) == wanted


def test_an_error_is_translated_before_it_is_filled_in(bracketed):
    reason = translatable("core", "it is a pipe, not a file")
    error = StoreError(
        translatable("core", "“{name}” cannot be read ({reason}). Download it again.").format(
            name="{a}", reason=reason
        )
    )
    assert translated(error) == (
        "⟦“{a}” cannot be read (⟦it is a pipe, not a file⟧). Download it again.⟧"
    )
    assert str(error) == "“{a}” cannot be read (it is a pipe, not a file). Download it again."
    assert translated(ValueError(reason)) == "⟦it is a pipe, not a file⟧"
    both = joined(reason, "Kept text.")
    assert translated(both) == "⟦it is a pipe, not a file⟧ Kept text."
    assert translated_all([reason, "Kept text."]) == "⟦it is a pipe, not a file⟧ Kept text."


def test_text_that_core_did_not_write_is_shown_as_it_is(bracketed):
    for text in ("", "Kept {in} a journal", translatable("core", "")):
        assert translated(text) == text
    assert translated(StoreError("Kept {in} a journal")) == "Kept {in} a journal"


def test_no_translator_is_written_in_python():
    """Qt asks it in any thread, with locks of its own: with Python's lock the window hung."""
    texts = [
        path.read_text("utf-8") for part in ("gui", "tests") for path in (ROOT / part).rglob("*.py")
    ]
    bases = [one for text in texts for one in re.findall(r"^\s*class \w+\(([^)]*)\):", text, re.M)]
    assert any("QWidget" in one for one in bases)
    assert [one for one in bases if "QTranslator" in one] == []


def test_wrong_translation_leaves_the_english_text(qapp, tmp_path):
    """One with a field that there is not."""
    compiled = compile_translation(
        tmp_path, lambda *_: "{nom} est vide.", {"core": {"{name} has no words."}}
    )
    translator = QTranslator()
    assert translator.load(str(compiled))
    qapp.installTranslator(translator)
    try:
        assert qapp.translate("core", "{name} has no words.") == "{nom} est vide."
        text = translatable("core", "{name} has no words.").format(name="a.png")
        assert translated(text) == "a.png has no words."
    finally:
        qapp.removeTranslator(translator)


def shown_untranslated(tree: ast.AST) -> list[int]:
    """Lines at which the text of a caught error of core is taken without its translation."""
    found = []
    for handler in ast.walk(tree):
        if isinstance(handler, ast.ExceptHandler) and handler.name and handler.type:
            names = {part.id for part in ast.walk(handler.type) if isinstance(part, ast.Name)}
            if names & OUR_ERRORS:
                found += [
                    call.lineno
                    for call in core_sentences.calls(handler, "str")
                    if [ast.unparse(one) for one in call.args] == [handler.name]
                ]
    return found


def test_an_error_of_core_is_translated_where_it_is_shown():
    found = {path: shown_untranslated(tree_of(path)) for path in MODULES}
    assert_no_fault(found)


def test_search_for_shown_errors_finds_them():
    source = """
try:
    work()
except (AppError, OSError) as error:
    self.noticed.emit(str(error))
except OSError as error:
    log.info(str(error))
"""
    assert shown_untranslated(ast.parse(source)) == [5]
