from dataclasses import replace

import pytest
from PySide6.QtCore import QEvent, QMimeData, QObject, Qt
from PySide6.QtGui import QGuiApplication, QImage, QKeyEvent, QPaintEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication

from core.vocabulary import Vocabulary
from gui.conversation.prompt_box import PromptBox
from gui.conversation.prompt_offer import AskButton, Hint, ModelOffer, PromptOffer
from gui.widgets.theme import Theme

KEY = Qt.Key
READY = PromptOffer(can_ask=True)
ANSWERING = PromptOffer(can_ask=True, button=AskButton.STOP, hint=Hint.STOPS)


def suggesting(prompt):
    return PromptOffer(prompt, prompt, can_ask=True, hint=Hint.ENTER)


@pytest.fixture
def box(qapp, qtbot):
    box = PromptBox(Theme(qapp, "light"))
    qtbot.addWidget(box)
    box.resize(420, 200)
    box.show_offer(READY)
    box.show()
    box.focus_prompt()
    return box


def write(box, text):
    QTest.keyClicks(box.prompt_edit, text)


def press(box, key, modifier=Qt.KeyboardModifier.NoModifier):
    QTest.keyClick(box.prompt_edit, key, modifier)


def asked(box):
    heard = []
    box.asked.connect(heard.append)
    return heard


def test_enter_sends_and_empties_the_box(box):
    heard = asked(box)
    write(box, "What is it?")
    press(box, KEY.Key_Return)
    assert heard == ["What is it?"]
    assert box.text == ""


def test_shift_enter_breaks_the_line(box):
    heard = asked(box)
    write(box, "one")
    press(box, KEY.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    write(box, "two")
    assert heard == []
    press(box, KEY.Key_Enter)
    assert heard == ["one\ntwo"]


def test_an_empty_prompt_is_not_sent(box):
    heard = asked(box)
    write(box, "   ")
    press(box, KEY.Key_Return)
    assert heard == []
    assert not box.ask_button.isEnabled()


def test_enter_in_an_empty_box_asks_what_is_suggested(box):
    heard = asked(box)
    box.show_offer(suggesting("Describe it."))
    assert box.prompt_edit.placeholderText() == "Describe it."
    press(box, KEY.Key_Return)
    press(box, KEY.Key_Return)
    assert heard == ["Describe it."]


def test_what_enter_asks_is_painted_when_it_changes(box, qtbot):
    box.show_offer(READY)
    viewport = box.prompt_edit.viewport()
    qtbot.wait_until(lambda: not viewport.testAttribute(Qt.WidgetAttribute.WA_PendingUpdate))
    painted = _WholePaints()
    viewport.installEventFilter(painted)
    box.show_offer(suggesting("Describe it."))
    qtbot.wait_until(lambda: painted.rect == viewport.rect())


class _WholePaints(QObject):
    """Remembers what was painted last; a blinking cursor paints a few pixels."""

    rect = None

    def eventFilter(self, watched, event):
        if isinstance(event, QPaintEvent):
            self.rect = event.rect()
        return False


def test_without_a_picture_enter_keeps_the_text_and_says_why(box):
    heard = asked(box)
    box.show_offer(PromptOffer())
    write(box, "What is it?")
    press(box, KEY.Key_Return)
    assert heard == []
    assert box.text == "What is it?"
    assert box.hint_label.text() == "Open an image first"


def test_up_and_down_bring_back_earlier_prompts_and_the_draft(box):
    box.set_history(["first", "second"])
    write(box, "draft")
    press(box, KEY.Key_Up)
    assert box.text == "second"
    press(box, KEY.Key_Up)
    press(box, KEY.Key_Up)
    assert box.text == "first"
    press(box, KEY.Key_Down)
    press(box, KEY.Key_Down)
    press(box, KEY.Key_Down)
    assert box.text == "draft"


def test_what_is_written_over_an_earlier_prompt_is_kept(box):
    box.set_history(["first"])
    press(box, KEY.Key_Up)
    write(box, " again")
    press(box, KEY.Key_Down)
    press(box, KEY.Key_Up)
    assert box.text == "first again"


def test_up_moves_the_cursor_while_there_is_a_line_above(box):
    box.set_history(["earlier"])
    write(box, "one")
    press(box, KEY.Key_Return, Qt.KeyboardModifier.ShiftModifier)
    write(box, "two")
    press(box, KEY.Key_Up)
    assert box.text == "one\ntwo"
    press(box, KEY.Key_Up)
    assert box.text == "earlier"


def test_a_sent_prompt_joins_the_history_once(box):
    for _ in range(2):
        write(box, "same")
        press(box, KEY.Key_Return)
    press(box, KEY.Key_Up)
    assert box.text == "same"
    press(box, KEY.Key_Up)
    assert box.text == "same"
    press(box, KEY.Key_Down)
    assert box.text == ""


def test_it_grows_with_its_text_up_to_a_limit(box):
    heights = [box.prompt_edit.height()]
    for _ in range(10):
        press(box, KEY.Key_Return, Qt.KeyboardModifier.ShiftModifier)
        heights.append(box.prompt_edit.height())
    assert heights[1] > heights[0]
    assert heights[-1] == heights[-2]
    assert heights[-1] < 8 * heights[0]


def test_suggestion_is_shown_whole_in_a_narrow_box(box, qtbot):
    edit = box.prompt_edit
    line = edit.height()
    box.resize(900, 200)
    box.show_offer(suggesting("Please describe this image in detail, and say where each thing is."))
    qtbot.waitUntil(lambda: edit.height() == line)
    box.resize(260, 200)
    qtbot.waitUntil(lambda: edit.height() > line)
    metrics = edit.fontMetrics()
    needed = metrics.boundingRect(
        0, 0, edit.viewport().width(), 1000, Qt.TextFlag.TextWordWrap, edit.placeholderText()
    )
    assert edit.viewport().height() >= needed.height()
    write(box, "x")
    assert edit.height() == line
    press(box, KEY.Key_Backspace)
    assert edit.height() > line
    box.resize(900, 200)
    qtbot.waitUntil(lambda: edit.height() == line)


def test_long_lines_make_it_grow_too(box, qtbot):
    before = box.prompt_edit.height()
    write(box, "many words " * 12)
    qtbot.waitUntil(lambda: box.prompt_edit.height() > before)


def test_while_answering_ask_becomes_stop_and_esc_stops(box, qtbot):
    box.show_offer(ANSWERING)
    assert box.ask_button.text() == "Stop"
    with qtbot.waitSignal(box.stopped):
        QTest.mouseClick(box.ask_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(box.stopped):
        press(box, KEY.Key_Escape)
    box.show_offer(READY)
    assert box.ask_button.text() == "Ask"


def test_enter_while_answering_sends_nothing_and_keeps_the_text(box):
    heard = asked(box)
    box.show_offer(ANSWERING)
    write(box, "And then?")
    press(box, KEY.Key_Return)
    assert heard == []
    assert box.text == "And then?"
    assert "Esc" in box.hint_label.text()


def test_while_the_model_loads_it_says_that_a_question_waits(box):
    box.resize(640, 200)
    box.show_offer(PromptOffer(can_ask=True, hint=Hint.LOADING))
    assert "Questions wait" in box.hint_label.text()
    box.show_offer(PromptOffer(can_ask=True, hint=Hint.WAITING))
    assert "waits" in box.hint_label.text()
    box.show_offer(ANSWERING)
    assert "wait" not in box.hint_label.text()


def test_a_preset_is_asked_at_once(box):
    heard = asked(box)
    box.set_presets([("Tags", "List tags."), ("Count", "How many?")])
    box.presets_button.menu().actions()[1].trigger()
    assert heard == ["How many?"]


def test_a_preset_does_not_overwrite_what_is_being_written(box):
    heard = asked(box)
    box.set_presets([("Tags", "List tags.")])
    write(box, "Please: ")
    box.presets_button.menu().actions()[0].trigger()
    assert heard == []
    assert box.text == "Please: List tags."


def test_text_is_pasted_and_a_picture_is_handed_on(box, qtbot):
    QGuiApplication.clipboard().setText("plain words")
    press(box, KEY.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert box.text == "plain words"
    QGuiApplication.clipboard().setImage(QImage(4, 4, QImage.Format.Format_RGB32))
    with qtbot.waitSignal(box.picture_pasted):
        press(box, KEY.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert box.text == "plain words"


def test_rich_text_is_pasted_plain(box):
    mime = QMimeData()
    mime.setHtml("<b>bold</b>")
    mime.setText("bold")
    QGuiApplication.clipboard().setMimeData(mime)
    press(box, KEY.Key_V, Qt.KeyboardModifier.ControlModifier)
    assert box.text == "bold"


def test_tab_leads_from_the_prompt_to_ask(box):
    write(box, "x")
    press(box, KEY.Key_Tab)
    assert QApplication.focusWidget() is box.ask_button


def test_every_control_has_a_name_for_those_who_do_not_see(box):
    assert box.prompt_edit.accessibleName()
    assert box.presets_button.accessibleName()
    assert box.ask_button.text()


def test_ways_to_a_model_are_offered_where_there_is_none(box, qtbot):
    ways = (ModelOffer.LAST, ModelOffer.BUILT_IN, ModelOffer.CHOOSE)
    box.show_offer(PromptOffer(can_ask=True, models=ways, last_model="llava-1.5-7b-hf"))
    texts = [button.text() for button in box.model_buttons.values() if button.isVisible()]
    assert texts == ["Load llava-1.5-7b-hf", "Load built-in model", "Choose…"]
    for way in ways:
        with qtbot.waitSignal(box.model_chosen) as chosen:
            QTest.mouseClick(box.model_buttons[way], Qt.MouseButton.LeftButton)
        assert chosen.args == [way]
        assert box.prompt_edit.hasFocus()
    box.show_offer(READY)
    assert not box.models_row.isVisible()


@pytest.mark.parametrize("width", [276, 420, 700])
def test_ways_to_a_model_fit_into_the_box(box, width, qtbot):
    ways = (ModelOffer.LAST, ModelOffer.BUILT_IN, ModelOffer.CHOOSE)
    box.resize(width, 240)
    box.show_offer(PromptOffer(models=ways, last_model="a-model-with-a-very-long-name"))
    qtbot.wait(1)
    assert box.minimumSizeHint().width() <= width
    for button in box.model_buttons.values():
        assert button.width() >= button.minimumSizeHint().width()
        assert box.rect().contains(button.geometry().translated(box.models_row.pos()))


def test_question_that_waits_is_taken_back_by_esc_and_by_the_button(box, qtbot):
    box.show_offer(PromptOffer(can_ask=True, button=AskButton.TAKE_BACK, hint=Hint.CHOOSE_MODEL))
    assert box.ask_button.text() == "Take back"
    with qtbot.waitSignal(box.taken_back):
        QTest.mouseClick(box.ask_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(box.taken_back):
        press(box, KEY.Key_Escape)


@pytest.mark.parametrize("written", ["", "words"])
def test_undo_is_left_to_the_window(box, written):
    write(box, written)
    keys = Qt.KeyboardModifier.ControlModifier
    override = QKeyEvent(QEvent.Type.ShortcutOverride, KEY.Key_Z, keys)
    override.ignore()
    QApplication.sendEvent(box.prompt_edit, override)
    assert not override.isAccepted()


@pytest.fixture
def reads_little(box):
    """The box of a model that knows a few words."""
    box.resize(700, 200)
    box.show_offer(replace(READY, vocabulary=Vocabulary(("where", "is", "the", "cat", "dog"))))
    return box


def hint(box):
    return box.hint_label.toolTip() or box.hint_label.text()


def test_words_that_the_model_does_not_know_are_named_once_they_are_written(reads_little, qtbot):
    write(reads_little, "Where is the cat?")
    assert hint(reads_little) == ""
    write(reads_little, " Wo ist die Katze")
    assert "Katze" not in hint(reads_little)  # It may still become another word.
    qtbot.waitUntil(lambda: "“ist”" in hint(reads_little))
    assert hint(reads_little) == "The model may not understand “Wo”, “ist”, “die” …"
    heard = asked(reads_little)
    press(reads_little, KEY.Key_Return)  # It can be asked all the same.
    assert heard == ["Where is the cat? Wo ist die Katze"]
    assert hint(reads_little) == ""


def test_the_hint_goes_with_the_word_that_it_names(reads_little, qtbot):
    write(reads_little, "Where is the xylophone")
    qtbot.waitUntil(lambda: "xylophone" in hint(reads_little))
    for _ in range(3):
        press(reads_little, KEY.Key_Backspace)
    assert hint(reads_little) == ""


def test_the_hint_still_names_a_word_in_a_narrow_box(reads_little, qtbot):
    write(reads_little, "Wo ist die Katze?")
    shown = []
    for width in (700, 330, 280, 260):
        reads_little.resize(width, 200)
        qtbot.waitUntil(lambda: bool(hint(reads_little)))
        shown.append(reads_little.hint_label.text())
    assert len(shown[0]) > len(shown[1]) > len(shown[-1])
    assert {text.partition("Wo")[0] for text in shown[1:]} == {"Unknown: “"}


def test_another_model_reads_everything(reads_little, qtbot):
    write(reads_little, "Wo ist die Katze?")
    qtbot.waitUntil(lambda: bool(hint(reads_little)))
    reads_little.show_offer(READY)
    assert hint(reads_little) == ""
    reads_little.show_offer(replace(READY, vocabulary=Vocabulary(("katze",))))
    assert "“die”" in hint(reads_little)


def test_esc_returns_from_an_earlier_prompt_unless_it_stops_an_answer(box):
    box.set_history(["first", "second"])
    for draft in ("", "draft"):
        box.prompt_edit.selectAll()
        press(box, KEY.Key_Delete)
        write(box, draft)
        press(box, KEY.Key_Up)
        press(box, KEY.Key_Up)
        press(box, KEY.Key_Escape)
        assert box.text == draft
    press(box, KEY.Key_Up)
    box.show_offer(replace(box.offer, button=AskButton.STOP))
    stopped = []
    box.stopped.connect(lambda: stopped.append(True))
    press(box, KEY.Key_Escape)
    assert (stopped, box.text) == ([True], "second")
