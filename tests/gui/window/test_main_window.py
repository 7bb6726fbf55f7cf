from importlib.metadata import version
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import (
    QDesktopServices,
    QDragEnterEvent,
    QDropEvent,
    QGuiApplication,
    QImage,
    QKeySequence,
)
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QDialog,
    QFileDialog,
    QLabel,
    QPushButton,
    QWidget,
)

from core.engine import Absent, EngineFacts, Loading, Ready
from core.picture import Picture
from core.transcript import Answer, Ending, Precision
from gui.conversation.prompt_offer import AskButton
from gui.widgets.notice import NoticeAction, NoticeActionKind
from gui.widgets.theme import Theme
from gui.window.commands import Command, Submenu
from gui.window.main_window import SMALLEST, MainWindow
from tests.support import window_alone as alone
from tests.support.layout import cut_off

PRESETS = (("Describe", "Please describe this image."), ("Tags", "List tags."))
FACTS = EngineFacts("built-in", "cpu", "CPU", Precision.FLOAT32, 65_000_000, 2048, True)
CTRL = Qt.KeyboardModifier.ControlModifier
SHIFT = Qt.KeyboardModifier.ShiftModifier
KEY = Qt.Key
USE_ANOTHER = NoticeAction(NoticeActionKind.USE_BUILT_IN_MODEL, "Use another")


@pytest.fixture
def window(qapp, qtbot):
    window = MainWindow(Theme(qapp, "light"), PRESETS)
    qtbot.addWidget(window)
    window.show_empty([])
    window.show()
    window.activateWindow()
    window.prompt_box.focus_prompt()
    return window


@pytest.fixture
def with_picture(window, qtbot):
    alone.show_picture(window, picture())
    qtbot.waitUntil(lambda: window.drop_zone.picture_view.has_picture)
    return window


@pytest.fixture
def files(tmp_path) -> list[Path]:
    paths = [tmp_path / f"{n}.png" for n in range(3)]
    for path in paths:
        Image.new("RGB", (30, 20), "red").save(path)
    return paths


def picture(name="cat.png"):
    return Picture(Path(name), Image.new("RGB", (300, 200), "red"), (), (300, 200))


def answer(text="A red square."):
    return Answer(text, Ending.COMPLETE, 42, 0.46, 0.21)


def emissions(signal):
    said = []
    signal.connect(lambda *arguments: said.append(arguments))
    return said


def press(key, modifiers=Qt.KeyboardModifier.NoModifier):
    widget = QApplication.focusWidget()
    assert widget is not None
    QTest.keyClick(widget, key, modifiers)


def dialog_of(window, kind=QDialog):
    return next(dialog for dialog in window.findChildren(kind) if dialog.isVisible())


def test_enter_on_a_new_picture_asks_the_first_preset(with_picture):
    asked = emissions(with_picture.prompt_box.asked)
    press(KEY.Key_Return)
    assert asked == [("Please describe this image.",)]


def test_after_the_first_answer_an_empty_prompt_asks_nothing(with_picture):
    asked = emissions(with_picture.prompt_box.asked)
    alone.begin_answer(with_picture, "Please describe this image.")
    alone.finish(with_picture, answer())
    press(KEY.Key_Return)
    assert asked == []


def test_a_new_picture_suggests_the_first_preset_again(with_picture):
    alone.begin_answer(with_picture, "What?")
    alone.finish(with_picture, answer())
    alone.clear_conversation(
        with_picture,
    )
    alone.show_picture(with_picture, picture("dog.png"))
    asked = emissions(with_picture.prompt_box.asked)
    press(KEY.Key_Return)
    assert asked == [("Please describe this image.",)]


def test_an_answer_is_shown_as_it_grows_and_its_speed_in_the_status_line(with_picture):
    window = with_picture
    alone.show_model_state(window, Ready(FACTS))
    alone.begin_answer(window, "What?")
    assert window.prompt_box.offer.button is AskButton.STOP
    window.transcript_view.append("A red")
    window.transcript_view.append(" square.")
    alone.finish(window, answer())
    assert window.transcript_view.text() == "What?\nA red square."
    assert window.status_line.speed_label.text() == "164 tokens/s"
    assert window.prompt_box.offer.button is AskButton.ASK


def test_esc_stops_once_wherever_the_focus_is(with_picture):
    window = with_picture
    stopped = emissions(window.prompt_box.stopped)
    press(KEY.Key_Escape)
    assert stopped == []
    alone.begin_answer(window, "What?")
    press(KEY.Key_Escape)
    assert len(stopped) == 1
    window.drop_zone.picture_view.setFocus()
    press(KEY.Key_Escape)
    assert len(stopped) == 2


def test_esc_in_an_edit_gives_the_edit_up_and_stops_nothing(with_picture):
    window = with_picture
    alone.begin_answer(window, "One?")
    alone.finish(window, answer())
    alone.begin_answer(window, "Two?")
    stopped = emissions(window.prompt_box.stopped)
    edit_button = window.transcript_view.exchange_views[0].body.edit_button
    QTest.mouseClick(edit_button, Qt.MouseButton.LeftButton)
    press(KEY.Key_Escape)
    assert stopped == []


def test_a_failed_answer_is_shown_in_its_place(with_picture):
    alone.begin_answer(with_picture, "What?")
    alone.fail(with_picture, "The device has no memory left.")
    exchange = with_picture.transcript_view.exchange_views[0]
    assert exchange.body.error_line.label.text() == "The device has no memory left."
    assert with_picture.prompt_box.offer.button is AskButton.ASK


def test_a_refused_prompt_is_in_the_box_again(with_picture):
    with_picture.give_prompt_back("What is it?")
    assert with_picture.prompt_box.text == "What is it?"
    with_picture.give_prompt_back("What is it?")
    assert with_picture.prompt_box.text == "What is it?"
    with_picture.give_prompt_back("Other")
    assert with_picture.prompt_box.text == "Other\nWhat is it?"


def test_a_broken_picture_is_shown_where_it_would_be_and_cannot_be_asked_about(with_picture):
    alone.show_picture_error(with_picture, "“x.jpg” is empty. Choose another.")
    assert with_picture.drop_zone.error_page.isVisible()
    assert not with_picture.prompt_box.ask_button.isEnabled()
    assert with_picture.windowTitle() == "Onlooker"


def test_the_title_names_the_picture(with_picture):
    assert with_picture.windowTitle() == "cat.png — Onlooker"


def test_the_status_line_shows_model_device_precision_and_memory(window):
    alone.show_model_state(window, Ready(FACTS))
    text = window.status_line.state_label.text()
    assert text == "Built-in model  ·  CPU  ·  float32  ·  65 MB"
    assert window.transcript_view.drawings_label.isVisible()


def test_a_folders_model_is_called_by_its_last_name(window):
    folder, size = "/m/llava-1.5-7b-hf", 15_000_000_000
    facts = EngineFacts(folder, "cuda:0", "RTX", Precision.FLOAT16, size, 4096)
    alone.show_model_state(window, Ready(facts))
    assert window.status_line.state_label.text().startswith("llava-1.5-7b-hf  ·  RTX  ·  float16")
    assert "15.0 GB" in window.status_line.state_label.text()
    assert not window.transcript_view.drawings_label.isVisible()


def test_loading_shows_stage_and_fraction_and_can_be_cancelled(window):
    alone.show_model_state(window, Loading(0.25, "Reading the weights"))
    line = window.status_line
    assert line.state_label.text() == "Reading the weights  25%"
    assert line.progress_bar.value() == 250
    assert line.progress_bar.maximum() == 1000
    cancelled = emissions(window.status_line.loading_cancelled)
    QTest.mouseClick(line.cancel_button, Qt.MouseButton.LeftButton)
    assert len(cancelled) == 1
    alone.show_model_state(window, Absent())
    assert not line.progress_bar.isVisible()


def test_loading_shows_no_fraction_until_weights_are_read(window, qtbot):
    """A bar that stands still at 2% looks as if the program hung; one without an end moves."""
    line = window.status_line
    alone.show_model_state(window, Loading(0.02, "Loading libraries"))
    assert line.state_label.text() == "Loading libraries…"
    assert line.progress_bar.isVisible()
    assert line.progress_bar.maximum() == 0
    before = line.progress_bar.grab().toImage()
    qtbot.waitUntil(lambda: line.progress_bar.grab().toImage() != before)
    alone.show_model_state(window, Loading(0.4, "Loading the weights"))
    assert (line.progress_bar.value(), line.progress_bar.maximum()) == (400, 1000)


def test_a_question_waits_for_the_model_and_says_so(with_picture):
    alone.show_model_state(with_picture, Loading(0.5, "Reading"))
    alone.begin_answer(with_picture, "What?")
    exchange = with_picture.transcript_view.exchange_views[0]
    assert "waits" in exchange.body.foot_label.text()
    assert "waits" in with_picture.prompt_box.hint_label.text()
    alone.show_model_state(with_picture, Ready(FACTS))
    assert exchange.body.foot_label.text() == "Looking at the image…"


def test_a_notice_is_shown_without_a_dialog_and_can_be_dismissed(window):
    window.show_notice("The oldest question no longer fits.")
    assert window.notice_bar.isVisible()
    assert not window.notice_bar.action_button.isVisible()
    QTest.mouseClick(window.notice_bar.close_button, Qt.MouseButton.LeftButton)
    assert not window.notice_bar.isVisible()


def test_the_picture_does_not_move_when_a_notice_comes(with_picture):
    view = with_picture.drop_zone.picture_view
    before = view.mapTo(with_picture, QPoint()), view.size()
    with_picture.show_notice("A note that is quite long and takes more than one line. " * 3)
    QApplication.sendPostedEvents()
    assert (view.mapTo(with_picture, QPoint()), view.size()) == before


def test_pictures_may_be_let_go_anywhere_on_the_window(window, files):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(path)) for path in files])
    opened = emissions(window.paths_opened)
    copy = Qt.DropAction.CopyAction
    left, plain = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
    over = QDragEnterEvent(QPoint(900, 300), copy, mime, left, plain)
    QApplication.sendEvent(window, over)
    assert over.isAccepted()
    assert window.drop_zone.drag_overlay.isVisible()
    drop = QDropEvent(QPointF(900, 300), copy, mime, left, plain, QEvent.Type.Drop)
    QApplication.sendEvent(window, drop)
    assert opened == [(files,)]


def test_the_prompt_does_not_take_files_as_words(window, files):
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(files[0]))])
    assert not window.prompt_box.prompt_edit.canInsertFromMimeData(mime)


@pytest.mark.parametrize("where", ["prompt", "picture"])
def test_ctrl_v_takes_a_picture_wherever_the_focus_is(window, files, where):
    if where == "picture":
        window.drop_zone.empty_page.open_button.setFocus()
    mime = QMimeData()
    mime.setUrls([QUrl.fromLocalFile(str(files[0]))])
    QGuiApplication.clipboard().setMimeData(mime)
    opened = emissions(window.paths_opened)
    press(KEY.Key_V, CTRL)
    assert opened == [([files[0]],)]


def test_a_pasted_image_comes_as_data(window, qtbot):
    QGuiApplication.clipboard().setImage(QImage(9, 9, QImage.Format.Format_RGB32))
    with qtbot.waitSignal(window.drop_zone.image_data_dropped):
        press(KEY.Key_V, CTRL)


def test_ctrl_o_opens_a_dialog_and_reports_what_was_chosen(window, files, qtbot):
    opened = emissions(window.paths_opened)
    press(KEY.Key_O, CTRL)
    dialog = dialog_of(window, QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.ExistingFiles
    dialog.filesSelected.emit([str(path) for path in files])
    dialog.close()
    assert opened == [(files,)]


def test_all_models_are_asked_for_by_key_by_the_status_line_and_by_the_line_about_drawings(
    window, qtbot
):
    alone.show_model_state(window, Ready(FACTS))
    asked = emissions(window.commands[Command.MODELS].triggered)
    press(KEY.Key_M, CTRL)
    window.transcript_view.drawings_label.linkActivated.emit("model")
    qtbot.mouseClick(window.status_line.state_label, Qt.MouseButton.LeftButton)
    window.status_line.state_label.setFocus()
    qtbot.keyClick(window.status_line.state_label, KEY.Key_Return)
    assert len(asked) == 4


def test_a_model_folder_is_asked_for_by_key(window, tmp_path):
    press(KEY.Key_M, CTRL | SHIFT)
    chosen = emissions(window.dialogs.model_folder_chosen)
    dialog = dialog_of(window, QFileDialog)
    assert dialog.fileMode() == QFileDialog.FileMode.Directory
    dialog.fileSelected.emit(str(tmp_path))
    dialog.close()
    assert chosen == [(tmp_path,)]


@pytest.mark.parametrize(
    ("key", "modifiers", "command"),
    [
        (KEY.Key_N, CTRL, Command.NEW),
        (KEY.Key_R, CTRL, Command.REGENERATE),
        (KEY.Key_Comma, CTRL, Command.SETTINGS),
    ],
)
def test_actions_have_keys(with_picture, key, modifiers, command):
    alone.show_model_state(with_picture, Ready(FACTS))
    alone.begin_answer(with_picture, "What?")
    alone.finish(with_picture, answer())
    emitted = emissions(with_picture.commands[command].triggered)
    press(key, modifiers)
    assert len(emitted) == 1


def test_all_menus_fit_below_the_bar_on_the_screen_of_a_laptop(window):
    """768 pixels, of which the title and the bar take 52; an entry has 28 with the usual font."""
    for title in window.menuBar().actions():
        menu = title.menu()
        menu.popup(QPoint())
        entry = max(menu.actionGeometry(one).height() for one in menu.actions())
        assert menu.sizeHint().height() <= 716 / 28 * entry, title.text()
        menu.close()


@pytest.mark.parametrize("names", [(), ("Tags", "Alt text")])
def test_only_presets_that_there_are_stand_in_their_menu(window, names):
    window.states.update(presets=("One more", *names))
    window.states.update(presets=names)
    menu = window.command_actions.submenus[Submenu.PRESETS]
    texts = [one.text().replace("&", "") for one in menu.actions() if one.isVisible()]
    assert texts == list(names)


def test_one_key_has_one_name_wherever_keys_are_named(window):
    native = QKeySequence.SequenceFormat.NativeText
    window.commands[Command.KEYS].trigger()
    (dialog,) = window.findChildren(QDialog, "keys_dialog")
    texts = [label.text() for label in dialog.findChildren(QLabel)]
    texts += [key.toString(native) for one in window.commands.values() for key in one.shortcuts()]
    texts += [part.toolTip() for part in window.findChildren(QWidget)]
    assert [text for text in texts if "Return" in text] == []
    assert {"Enter", "Shift+Enter", "Ctrl+Enter"} <= set(texts)
    dialog.close()


def test_copying_by_key(with_picture):
    alone.begin_answer(with_picture, "What?")
    alone.finish(with_picture, answer("**Red**"))
    press(KEY.Key_C, CTRL | SHIFT)
    assert QGuiApplication.clipboard().text() == "**Red**"
    press(KEY.Key_A, CTRL | SHIFT)
    assert QGuiApplication.clipboard().text() == "What?\n**Red**"


def test_what_cannot_be_done_now_is_not_offered(window):
    actions = (
        window.commands[Command.STOP],
        window.commands[Command.REGENERATE],
        window.commands[Command.COPY],
        window.commands[Command.SAVE],
    )
    assert not any(action.isEnabled() for action in actions)
    alone.show_model_state(window, Ready(FACTS))
    alone.show_picture(window, picture())
    alone.begin_answer(window, "What?")
    assert window.commands[Command.STOP].isEnabled()
    assert not window.commands[Command.REGENERATE].isEnabled()
    alone.finish(window, answer())
    assert not window.commands[Command.STOP].isEnabled()
    assert window.commands[Command.REGENERATE].isEnabled()


def test_the_shortcuts_are_listed(window):
    press(KEY.Key_F1)
    dialog = dialog_of(window)
    words = [label.text() for label in dialog.findChildren(QLabel)]
    assert {"Ask", "Stop or dismiss", "Open images", "Next image"} <= set(words)
    dialog.close()


def test_about_says_that_nothing_leaves_this_computer(window):
    window.commands[Command.ABOUT].trigger()
    dialog = dialog_of(window)
    assert "this computer" in " ".join(label.text() for label in dialog.findChildren(QLabel))
    dialog.close()


def test_about_shows_the_version_and_opens_the_licences(window, monkeypatch):
    opened = []
    monkeypatch.setattr(QDesktopServices, "openUrl", opened.append)
    window.commands[Command.ABOUT].trigger()
    dialog = dialog_of(window)
    assert version("onlooker") in " ".join(label.text() for label in dialog.findChildren(QLabel))
    button = dialog.findChild(QPushButton, "licences_button")
    assert button
    button.click()
    assert (Path(opened[0].toLocalFile()) / "LGPL-3.0.txt").is_file()
    dialog.close()


def test_earlier_conversations_are_offered(window):
    menu = window.recent_menu
    asked, chosen = emissions(menu.opened), emissions(menu.chosen)
    menu.menu.aboutToShow.emit()
    assert len(asked) == 1
    menu.show([(7, "cat.png", "R&D?"), (3, "dog.png", "Where?")])
    menu.menu.actions()[0].trigger()
    assert chosen == [(7,)]
    assert menu.menu.actions()[0].text() == "cat.png – R&&D?"


def test_long_names_of_earlier_conversations_are_elided_and_whole_in_the_tool_tip(window):
    name, prompt = f"{'x' * 120}.png", "Why is it so? " * 40
    menu = window.recent_menu
    menu.show([(1, name, prompt)])
    [action] = menu.menu.actions()
    assert menu.menu.sizeHint().width() < 760
    assert action.toolTip() == f"{name} – {prompt}"
    assert action.text().startswith("xxx")
    assert ".png – Why" in action.text()


def test_size_and_division_come_back(qapp, qtbot, window):
    window.resize(760, 600)
    window.splitter.setSizes([400, 359])
    state = window.save_state()
    other = MainWindow(Theme(qapp, "light"), PRESETS)
    qtbot.addWidget(other)
    other.restore_state(state)
    other.show()
    assert other.size() == window.size()
    assert other.splitter.sizes() == window.splitter.sizes()


@pytest.mark.parametrize("state", ["", "nonsense", "{}", "[]", '{"geometry": 3}', '{"a": "!!"}'])
def test_a_state_that_cannot_be_read_is_passed_over(window, state):
    before = window.size()
    window.restore_state(state)
    assert window.size() == before


def test_closing_is_reported_once_the_window_is_gone(window):
    seen = []
    window.closed.connect(lambda: seen.append(window.isVisible()))
    window.close()
    assert seen == [False]


def test_nothing_is_cut_off_at_the_smallest_size(window, files, qtbot):
    window.resize(*SMALLEST)
    assert (window.width(), window.height()) == SMALLEST
    samples = [files[n % 3].with_name(f"sample{n}.png") for n in range(8)]
    window.show_empty(samples)
    alone.show_model_state(window, Ready(FACTS))
    qtbot.wait(1)
    assert cut_off(window) == []
    alone.show_picture_list(window, files, 0)
    alone.show_picture(window, picture("a very long name indeed, longer than there is room.png"))
    alone.begin_answer(window, "What?")
    alone.finish(window, answer())
    window.show_notice("The model could not be loaded: shard 2 is missing.", USE_ANOTHER)
    qtbot.wait(1)
    assert cut_off(window) == []
    alone.show_picture_error(window, f"“{'long_name_' * 8}.jpg” is cut short. Copy it again." * 2)
    alone.show_model_state(window, Loading(0.4, "Reading the language model"))
    qtbot.wait(1)
    assert cut_off(window) == []


def test_the_smallest_size_is_as_small_as_promised(window):
    assert window.minimumSizeHint().width() <= SMALLEST[0]
    assert window.minimumSizeHint().height() <= SMALLEST[1]
