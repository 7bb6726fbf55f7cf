from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from PySide6.QtCore import QEvent, QPoint, QPointF, QRectF, Qt
from PySide6.QtGui import QColor, QContextMenuEvent, QGuiApplication, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QMenu

from core.engine import Capability, EngineFacts, Missing, Ready
from core.picture import Picture
from core.transcript import Answer, Ending, Exchange, Precision, Transcript
from core.words import Evidence, Presence, Word, WordMap
from gui.conversation.word_popup import gain_text, presence_text, probability_text
from gui.window.commands import Command
from gui.window.view_state import LoadedState
from tests.support import window_alone as alone
from tests.support.answer_words import TEXT, click, evidence_of, index_of, point_at, word


def said_in(popup) -> str:
    return " ".join(label.text() for label in popup.findChildren(QLabel) if label.isVisible())


def word_map(size=(400, 200)) -> WordMap:
    """Strong at the left, in a square that leaves the picture above and below."""
    values = np.zeros((4, 4), np.float32)
    values[:, 0] = 1
    width, height = size
    top = (width - height) / 2
    return WordMap(values, (0, -top, width, height + top), (0, 0, width / 4, height))


# ---- pointing


def test_pointing_at_a_word_shows_its_confidence_and_runners_up(window, answered, qtbot):
    text, popup = answered(), window.evidence_view.popup
    point_at(text, "red")
    qtbot.waitUntil(popup.isVisible)
    said = said_in(popup)
    assert "red doubtful" in said
    assert "62%" in said
    assert "round 30%" in said
    assert "odd" not in said
    assert not popup.strike_button.isVisible()
    assert window.rect().contains(popup.geometry())
    point_at(text, None)
    assert not popup.isVisible()


def test_words_behind_markdown_and_beyond_the_basic_plane_are_found(answered):
    source = "# 🎈🎈 Balloons\n\n- a **big** one\n- [small](http://x.y) ones\n\nThe end"
    text = answered(source)
    document = text.document()
    for index, begin, end in text.words._positions:
        cursor = text.textCursor()
        cursor.setPosition(begin)
        cursor.setPosition(end, cursor.MoveMode.KeepAnchor)
        assert cursor.selectedText() == text.words.words[index].text
        middle = text.words.rect(index).center()
        assert text.words.at(middle) == index
    assert document.toPlainText().count("Balloons") == 1
    found = {text.words.words[index].text for index, _, _ in text.words._positions}
    assert found >= {"Balloons", "big", "small", "ones", "The", "end"}


def places(text) -> list[str]:
    """What stands in the document where each word is said to be."""
    document = text.document().toPlainText()
    return [document[begin:end] for _, begin, end in text.words._positions]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ("1. A red car\n2. There are 12 dogs\n3. No 1", "A red car There are 12 dogs No 1"),
        (
            "See [a cat](http://a.org/cat) or a caterpillar.",
            "See a cat http a org cat or a caterpillar",
        ),
        ("- **One**half of `2*3` is _it_", "One half of 2 3 is it"),
        ("A snake\\_case &amp; more, amply.", "A snake case more amply"),
    ],
)
def test_marks_that_are_not_shown_shift_no_word(answered, answer, found):
    assert places(answered(answer)) == found.split()


def test_each_character_of_a_script_without_blanks_is_struck_by_itself(window, answered):
    answered("一匹の猫と犬。")
    window.evidence_view.show_struck(0, ((3, 4),))
    words = window.transcript_view.exchange_views[0].answer_text.words
    assert words._struck_positions == [(3, 4)]


def test_evidence_of_another_text_is_not_taken(window, answered):
    text = answered()
    alone.begin_answer(window, "Once more")
    alone.finish(window, Answer("Something else.", Ending.COMPLETE, 3, 1.0))
    window.evidence_view.show_evidence(1, evidence_of(TEXT))
    assert text.words.is_known
    assert not window.transcript_view.exchange_views[1].answer_text.words.is_known


def test_an_answer_without_evidence_asks_for_it_once_when_pointed_at(window):
    wanted = []
    window.evidence_view.evidence_wanted.connect(lambda *asked: wanted.append(asked))
    alone.begin_answer(window, "Describe it.")
    text = window.transcript_view.exchange_views[0].answer_text
    QApplication.sendEvent(text.viewport(), QEvent(QEvent.Type.Enter))
    assert wanted == []
    alone.finish(window, Answer(TEXT, Ending.COMPLETE, 9, 1.0))
    for _ in range(2):
        QApplication.sendEvent(text.viewport(), QEvent(QEvent.Type.Enter))
    assert wanted == [(0, False)]
    window.evidence_view.refuse_evidence(0)
    QApplication.sendEvent(text.viewport(), QEvent(QEvent.Type.Enter))
    assert wanted == [(0, False)] * 2


# ---- choosing


def test_a_click_lays_the_words_map_over_the_picture_until_esc(window, answered, qtbot):
    with qtbot.waitSignal(window.drop_zone.picture_view.shown):
        window.show_picture(Picture(None, Image.new("RGB", (400, 200), "white")))
    view = window.drop_zone.picture_view

    def colour(across: float) -> QColor:
        image, place = view.grab().toImage(), view.picture_rect()
        x = place.left() + across * place.width()
        return image.pixelColor(round(x), round(place.center().y()) + 20)

    text = answered()
    with qtbot.waitSignal(window.evidence_view.map_wanted) as wanted:
        click(text, "red")
    index, asked = wanted.args
    assert (index, asked.text) == (0, "red")
    window.evidence_view.show_map(index, asked, word_map())
    qtbot.waitUntil(lambda: colour(0.9).lightness() < 100)
    assert colour(0.12).lightness() > 200
    QTest.keyClick(text, Qt.Key.Key_Escape)
    assert colour(0.9) == QColor("white")
    assert not window.evidence_view.popup.isVisible()


@pytest.mark.parametrize("place", ["below the answer", "in the empty part"])
def test_a_click_beside_the_text_leaves_the_word(window, answered, place):
    text, popup = answered(), window.evidence_view.popup
    click(text, "red")
    assert popup.isVisible()
    area = window.transcript_view.scroll_area
    body = window.transcript_view.exchange_views[0].body
    at = {
        "below the answer": (body, body.rect().bottomLeft() + QPoint(2, -2)),
        "in the empty part": (area.viewport(), area.viewport().rect().bottomLeft() - QPoint(-8, 8)),
    }
    widget, point = at[place]
    QTest.mouseClick(widget, Qt.MouseButton.LeftButton, pos=point)
    assert not popup.isVisible()
    assert not window.evidence_view.has_chosen


@pytest.mark.parametrize("is_chosen", [True, False], ids=["chosen", "pointed at"])
def test_another_answer_in_its_place_leaves_the_word(window, answered, qtbot, is_chosen):
    text, popup = answered(), window.evidence_view.popup
    if is_chosen:
        click(text, "red")
    else:
        point_at(text, "red")
    qtbot.waitUntil(popup.isVisible)
    answer = Answer("Two blue hats.", Ending.COMPLETE, 4, 1.0)
    picture = Picture(None, Image.new("RGB", (40, 20)))
    other = Transcript.of(picture, [Exchange("Again.", answer)])
    window.transcript_view.show_branch(0, other)
    window.evidence_view.show_evidence(0, evidence_of(answer.text))
    assert text.toPlainText() == answer.text
    assert not popup.isVisible()
    assert not window.evidence_view.has_chosen


def test_a_click_says_why_nothing_is_laid_over_the_picture(window, answered, qtbot):
    reason = "Where in the image this model's tokens lie is not known."
    window.resize(640, 400)
    text, popup = answered(), window.evidence_view.popup
    window.evidence_view.map_obstacle = reason
    point_at(text, "red")
    qtbot.waitUntil(popup.isVisible)
    assert reason not in said_in(popup)
    click(text, "red")
    assert reason in said_in(popup)
    assert window.rect().contains(popup.geometry())
    window.evidence_view.map_obstacle = ""
    click(text, "table")
    assert reason not in said_in(popup)


def test_arrow_keys_go_from_word_to_word(window, answered, qtbot):
    text = answered()
    click(text, "red")
    QTest.keyClick(text, Qt.Key.Key_Right)
    with qtbot.waitSignal(window.evidence_view.map_wanted) as wanted:
        QTest.keyClick(text, Qt.Key.Key_Right)
    assert wanted.args[1].text == "and"
    assert window.evidence_view.popup.word_label.text() == "and"
    QTest.keyClick(text, Qt.Key.Key_End)
    assert window.evidence_view.popup.word_label.text() == "table"
    QTest.keyClick(text, Qt.Key.Key_Right)
    QTest.keyClick(text, Qt.Key.Key_Left)
    assert window.evidence_view.popup.word_label.text() == "the"


def test_up_and_down_go_to_the_nearest_word_of_the_next_line(answered, window):
    text = answered("word " * 60)
    QTest.keyClick(text, Qt.Key.Key_Home)
    text.choose_word(2)
    above = text.words.rect(2)
    QTest.keyClick(text, Qt.Key.Key_Down)
    below = text.words.rect(text.words.chosen)
    assert below.top() > above.top()
    assert abs(below.center().x() - above.center().x()) < above.width()
    QTest.keyClick(text, Qt.Key.Key_Up)
    assert text.words.chosen == 2


def test_a_key_begins_at_the_first_doubtful_word(window, answered):
    text = answered()
    window.commands[Command.WORDS].trigger()
    assert text.words.words[text.words.chosen].text == "red"
    assert window.commands[Command.STOP].isEnabled()
    window.commands[Command.STOP].trigger()
    assert text.words.chosen == -1


def test_words_not_known_yet_are_asked_for_and_then_gone_through(window, qtbot):
    alone.begin_answer(window, "Describe it.")
    alone.finish(window, Answer(TEXT, Ending.COMPLETE, 9, 1.0))
    with qtbot.waitSignal(window.evidence_view.evidence_wanted) as wanted:
        window.commands[Command.WORDS].trigger()
    assert wanted.args == [0, True]
    window.evidence_view.show_evidence(0, evidence_of(TEXT))
    assert window.evidence_view.has_chosen


def test_a_map_that_comes_late_is_not_shown_for_another_word(window, answered, qtbot):
    with qtbot.waitSignal(window.drop_zone.picture_view.shown):
        window.show_picture(Picture(None, Image.new("RGB", (400, 200), "white")))
    text = answered()
    click(text, "red")
    late = text.words.words[index_of(text, "red")]
    click(text, "cube")
    window.evidence_view.show_map(0, late, word_map())
    made = []
    window.drop_zone.previews.made.connect(lambda key, image: made.append(key))
    window.drop_zone.previews.ask("last", lambda: b"")
    # On a busy machine those of the picture itself may still come.
    qtbot.waitUntil(lambda: "last" in made)
    assert [key for key in made if key[0] == "map"] == []


def test_a_word_stays_chosen_when_the_image_becomes_visible_after_it(window, answered, qtbot):
    view, evidence_view = window.drop_zone.picture_view, window.evidence_view
    text = answered()
    with qtbot.waitSignal(evidence_view.map_wanted):
        click(text, "red")
    with qtbot.waitSignals([view.shown, evidence_view.map_wanted]):
        window.show_picture(Picture(None, Image.new("RGB", (400, 200), "white")))
    assert text.words.words[text.words.chosen].text == "red"
    assert evidence_view.popup.isVisible()


def test_the_next_question_leaves_the_words(window, answered):
    text = answered()
    click(text, "red")
    alone.begin_answer(window, "And now?")
    assert text.words.chosen == -1
    assert not window.evidence_view.popup.isVisible()


def test_choosing_in_another_answer_leaves_the_first(window, answered):
    first, second = answered(), answered()
    click(first, "red")
    click(second, "cube")
    assert first.words.chosen == -1
    assert second.words.words[second.words.chosen].text == "cube"
    assert window.evidence_view.popup.isVisible()


def test_dragging_selects_text_and_chooses_nothing(window, answered):
    text = answered()
    begin = text.words.rect(index_of(text, "red")).center().toPoint()
    end = text.words.rect(index_of(text, "and")).center().toPoint()
    QTest.mousePress(text.viewport(), Qt.MouseButton.LeftButton, pos=begin)
    event = QMouseEvent(
        QEvent.Type.MouseMove,
        QPointF(end),
        QPointF(text.viewport().mapToGlobal(end)),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(text.viewport(), event)
    QTest.mouseRelease(text.viewport(), Qt.MouseButton.LeftButton, pos=end)
    assert text.textCursor().hasSelection()
    assert text.words.chosen == -1


# ---- doubt


def under(text, said: str) -> set[str]:
    """The colours right below a word."""
    image = text.viewport().grab().toImage()
    rect = text.words.rect(index_of(text, said))
    rows = range(round(rect.bottom()), round(rect.bottom()) + 3)
    columns = range(round(rect.left()) + 1, round(rect.right()) - 1)
    return {image.pixelColor(x, y).name() for y in rows for x in columns}


def test_doubt_is_underlined_in_two_steps_and_can_be_switched_off(window, answered):
    text, doubt = answered(), QColor(window.theme.palette.doubt).name()
    assert doubt in under(text, "cube")
    assert len(under(text, "red")) > len(under(text, "ball"))
    assert doubt not in under(text, "ball") | under(text, "the")
    window.states.update(underlines_doubt=False)
    assert doubt not in under(text, "cube")
    assert not window.commands[Command.UNDERLINE_DOUBT].isChecked()


@pytest.mark.parametrize("is_chosen", [True, False])
def test_the_popup_does_not_stay_over_another_page(window, answered, qtbot, is_chosen):
    text = answered()
    if is_chosen:
        click(text, "cube")
    else:
        point_at(text, "cube")
    qtbot.waitUntil(window.evidence_view.popup.isVisible)
    window.resize(640, 400)
    window.show_batch_panel()
    assert not window.evidence_view.popup.isVisible()
    assert not window.evidence_view.has_chosen


def offered(menu) -> list[str]:
    texts = [action.text().replace("&", "") for action in menu.actions()]
    menu.deleteLater()
    return [text for text in texts if text]


def test_a_content_words_menu_offers_to_look_again_and_to_strike_it_out(window, answered):
    text = answered()
    view = window.transcript_view.exchange_views[0]
    menus = [
        offered(window.context_menus.menu_of(view, word))
        for word in (index_of(text, "cube"), index_of(text, "the"), -1)
    ]
    assert menus[0] == ["Show where", "Look again", "Strike out", *menus[2]]
    assert menus[1] == ["Show where", *menus[2]]
    assert menus[2] == [
        "Copy", "Select all", "Regenerate answer", "Step through words", "Inspect answer",
        "Edit question", "Previous version", "Next version", "Copy answer", "Copy question",
        "Copy conversation",
    ]  # fmt: skip


def test_the_menu_opens_by_the_right_button_and_by_the_menu_key(window, answered):
    text, reason = answered(), QContextMenuEvent.Reason
    asked = []
    text.word_menu_asked.connect(lambda index, at: asked.append(text.words.words[index].text))
    at = text.words.rect(index_of(text, "ball")).center().toPoint()
    event = QContextMenuEvent(reason.Mouse, at, text.viewport().mapToGlobal(at))
    QApplication.sendEvent(text.viewport(), event)
    window.findChild(QMenu, "word_menu").close()
    click(text, "cube")
    QApplication.sendEvent(text, QContextMenuEvent(reason.Keyboard, QPoint(), QPoint()))
    menus = [menu for menu in window.findChildren(QMenu, "word_menu") if menu.isVisible()]
    assert asked == ["ball", "cube"]
    assert len(menus) == 1
    menus[0].close()


def test_striking_out_is_asked_for_shown_and_left_out_of_what_is_copied(window, answered, qtbot):
    text = answered()
    click(text, "red")
    with qtbot.waitSignal(window.evidence_view.strike_changed) as struck:
        window.evidence_view.popup.strike_button.click()
    assert struck.args == [0, 2, 5, True]
    before = text.viewport().grab().toImage()
    window.show_struck(0, ((2, 5),), True)
    undo = replace(window.state.conversation, undo="Undo strike-out")
    window.states.update(conversation=undo)
    assert text.viewport().grab().toImage() != before
    window.transcript_view.copy_last()
    assert QGuiApplication.clipboard().text() == TEXT.replace("red ", "")
    assert window.transcript_view.exchange_views[0].answer == TEXT
    assert window.evidence_view.popup.strike_button.text() == "Undo strike-out"
    assert window.commands[Command.UNDO].isEnabled()


def test_looking_again_is_asked_for_and_its_answer_shown(window, answered, qtbot):
    text, popup = answered(), window.evidence_view.popup
    click(text, "cube")
    with qtbot.waitSignal(window.evidence_view.look_again_asked) as asked:
        popup.look_button.click()
    assert asked.args[1].text == "cube"
    assert not popup.look_button.isEnabled()
    question = "Is there a blue cube in the image?"
    words = [
        word(TEXT, one.begin, one.end)
        if one.text != "cube"
        else Word(**{**one.__dict__, "presence": Presence(question, -1.0, -2.0)})
        for one in evidence_of(TEXT).words
    ]
    window.evidence_view.show_evidence(0, Evidence(tuple(words), 0.1))
    assert f"Asked “{question}”, it answered no." in said_in(popup)


def show_obstacle(window, capability, reason):
    missing = {capability: Missing(reason)} if reason else {}
    facts = EngineFacts("m", "cpu", "CPU", Precision.FLOAT32, 0, 1, missing=missing)
    window.states.update(model=LoadedState(Ready(facts), facts))


def test_without_evidence_the_actions_are_grey_and_say_why(window, answered):
    answered()
    show_obstacle(window, Capability.EVIDENCE, "This model tells nothing of its words.")
    for action in (window.commands[Command.WORDS], window.commands[Command.UNDERLINE_DOUBT]):
        assert not action.isEnabled()
        assert action.toolTip() == "This model tells nothing of its words."
    show_obstacle(window, Capability.EVIDENCE, "")
    assert window.commands[Command.WORDS].isEnabled()


def test_without_a_trace_there_is_nothing_to_inspect_and_it_says_why(window, answered):
    show_obstacle(window, Capability.TRACE, "This model leaves no trace.")
    answered()
    button = window.transcript_view.exchange_views[0].body.inspect_button
    for thing in (window.commands[Command.INSPECT], button):
        assert not thing.isEnabled()
        assert thing.toolTip() == "This model leaves no trace."
    show_obstacle(window, Capability.TRACE, "")
    assert window.commands[Command.INSPECT].isEnabled()
    assert button.isEnabled()


def test_the_popup_stays_inside_the_smallest_window(window, answered, qtbot):
    window.resize(640, 480)
    text = answered(TEXT + " word" * 80)
    QTest.keyClick(text, Qt.Key.Key_Home)
    for said in ("red", "cube", "table"):
        click(text, said)
        assert window.rect().contains(window.evidence_view.popup.geometry())


# ---- words for figures


@pytest.mark.parametrize(
    ("gain", "said"),
    [
        (0.1, "The text alone makes it just as likely."),
        (2.0, "The image makes it 7.4 times more likely."),
        (4.0, "The image makes it 55 times more likely."),
        (9.0, "The image makes it over 1,000 times more likely."),
        (-2.0, "The image makes it 7.4 times less likely."),
    ],
)
def test_what_the_picture_adds_is_reported_in_words(gain, said):
    assert gain_text(gain) == said


def test_probabilities_are_never_certain():
    assert [probability_text(p) for p in (0.9999, 0.62, 0.001)] == [
        "over 99%",
        "62%",
        "under 1%",
    ]


def test_a_yes_that_absent_things_get_too_is_reported_as_such():
    question = "Is there a cat in the image?"
    assert presence_text(Presence(question, 3.0, -4.0)).endswith("it answered yes.")
    assert "things that are not there" in presence_text(Presence(question, 1.0, 2.0))
    assert presence_text(Presence(question, -1.0, -4.0)).endswith("it answered no.")


def test_pointing_far_from_any_word_points_at_none(answered):
    text = answered()
    assert text.words.at(QPointF(text.width() - 1, text.height() - 1)) == -1
    assert QPoint(0, 0) != text.word_rects(0)[0].center()


def test_of_a_long_answer_the_words_in_sight_are_drawn_and_few_others(answered):
    text = answered(" ".join(f"red ball number{n}" for n in range(700)))
    words = text.words
    rects = [words.rect(index) for index in range(len(words.words))]
    height = rects[-1].bottom()
    assert height > 3000
    for top in (0.0, height / 3, height - 200.0):
        seen = QRectF(0, top, text.viewport().width(), 200)
        around = set(words.around(seen))
        assert {n for n, rect in enumerate(rects) if rect.intersects(seen)} <= around
        assert len(around) < len(rects) / 3
