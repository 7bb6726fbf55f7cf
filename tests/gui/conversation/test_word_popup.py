"""The popup of a word: when it shows, what it leaves free, and the keys that go through it."""

import pytest
from PySide6.QtCore import QPoint, QRect, QSize, Qt
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QMenu

from gui.conversation.word_popup import place_beside
from gui.widgets.notice import NoticeAction, NoticeActionKind
from tests.gui.conftest import focused_widget
from tests.support.answer_words import TEXT, click, index_of, point_at

KEY = Qt.Key
LEFT = Qt.MouseButton.LeftButton


def centre(text, said: str) -> QPoint:
    return text.words.rect(index_of(text, said)).center().toPoint()


def overlaps(popup, rects) -> list[QRect]:
    place = QRect(popup.mapToGlobal(QPoint()), popup.size())
    return [rect for rect in rects if place.intersects(rect)]


@pytest.fixture
def popup(window):
    return window.evidence_view.popup


# ---- selecting


def test_the_popup_waits_until_the_button_is_released_and_nothing_is_selected(
    window,
    answered,
    popup,
    qtbot,
):
    text = answered()
    point_at(text, "red")
    QTest.mousePress(text.viewport(), LEFT, pos=centre(text, "red"))
    for said in ("ball", "a", "cube"):
        QTest.mouseMove(text.viewport(), centre(text, said))
        qtbot.wait(70)
        assert not popup.isVisible()
    QTest.mouseRelease(text.viewport(), LEFT, pos=centre(text, "cube"))
    assert text.textCursor().hasSelection()
    point_at(text, "table")
    qtbot.wait(250)
    assert not popup.isVisible()
    assert text.textCursor().hasSelection()
    QTest.mouseClick(text.viewport(), LEFT, pos=QPoint(2, text.height() - 2))
    point_at(text, "table")
    qtbot.waitUntil(popup.isVisible)


def test_a_press_takes_the_popup_away_that_the_pointer_brought(window, answered, popup, qtbot):
    text = answered()
    point_at(text, "red")
    qtbot.waitUntil(popup.isVisible)
    QTest.mousePress(text.viewport(), LEFT, pos=centre(text, "red"))
    assert not popup.isVisible()
    QTest.mouseRelease(text.viewport(), LEFT, pos=centre(text, "red"))
    assert popup.isVisible()  # It is chosen now.


@pytest.mark.parametrize("how", ["double click", "all"])
def test_selecting_leaves_the_chosen_word(window, answered, popup, how):
    text = answered()
    click(text, "red")
    assert popup.isVisible()
    if how == "all":
        QTest.keyClick(text, KEY.Key_A, Qt.KeyboardModifier.ControlModifier)
    else:
        QTest.mouseDClick(text.viewport(), LEFT, pos=centre(text, "red"))
        QTest.mouseRelease(text.viewport(), LEFT, pos=centre(text, "red"))
    assert text.textCursor().hasSelection()
    assert not popup.isVisible()


# ---- where it is


@pytest.mark.parametrize("size", [(1000, 700), (1366, 700), (640, 480), (760, 420)])
@pytest.mark.parametrize("length", [1, 8])
def test_it_covers_neither_the_word_nor_the_buttons_of_the_exchange(
    window,
    answered,
    popup,
    size,
    length,
):
    window.resize(*size)
    text = answered(" ".join([TEXT] * length))
    view = window.transcript_view.exchange_views[0]
    shown = window.transcript_view.scroll_area.viewport()
    area = QRect(shown.mapToGlobal(QPoint()), shown.size())
    for index in range(len(text.words.words)):
        text.choose_word(index)
        assert window.rect().contains(popup.geometry())
        assert overlaps(popup, text.word_rects(index)) == []
        buttons = [rect & area for rect in view.button_rects() if rect.intersects(area)]
        assert buttons or length > 1
        assert overlaps(popup, buttons) == []


@pytest.mark.parametrize("size", [(1000, 700), (1366, 700), (760, 420)])
def test_it_covers_neither_a_notice_nor_the_ask_button(window, answered, popup, qtbot, size):
    window.resize(*size)
    kind = NoticeActionKind.CAPTION_ALL
    window.show_notice("These can be captioned.", NoticeAction(kind, "Caption all", ()))
    text = answered(" ".join([TEXT] * 4))
    bar, button = window.notice_bar, window.prompt_box.ask_button
    qtbot.waitUntil(bar.isVisible)
    for index in range(len(text.words.words)):
        text.choose_word(index)
        taken = [QRect(one.mapToGlobal(QPoint()), one.size()) for one in (bar, button)]
        assert overlaps(popup, taken) == []


def test_where_nothing_is_free_it_covers_as_little_as_can_be():
    inside = QRect(0, 0, 300, 200)
    word = [QRect(100, 90, 40, 20)]
    place = place_beside(word, [inside], QSize(280, 80), inside)
    assert inside.contains(place)
    assert not place.intersects(word[0])


def test_below_the_word_is_best_and_above_it_next():
    inside, word = QRect(0, 0, 600, 400), [QRect(100, 90, 40, 20)]
    below = place_beside(word, [], QSize(200, 80), inside)
    assert (below.left(), below.top()) == (88, 115)
    taken = [QRect(0, 112, 600, 300)]
    above = place_beside(word, taken, QSize(200, 80), inside)
    assert above.bottom() < 90
    assert above.left() == 88


def test_it_leaves_the_buttons_of_other_exchanges_free_too(window, answered, popup):
    texts = [answered() for _ in range(3)]
    views = window.transcript_view.exchange_views
    area = window.transcript_view.scroll_area.viewport()
    seen = QRect(area.mapToGlobal(QPoint()), area.size())
    buttons = [rect & seen for view in views for rect in view.button_rects()]
    assert len(buttons) >= 9
    for text in texts:
        for index in range(len(text.words.words)):
            text.choose_word(index)
            assert overlaps(popup, [*text.word_rects(index), *buttons]) == []


# ---- keys


def test_tab_goes_through_the_buttons_and_esc_back_to_the_words(window, answered, popup):
    text = answered()
    window.activateWindow()
    window.prompt_box.focus_prompt()
    QTest.keyClick(window.prompt_box.prompt_edit, KEY.Key_F2)
    assert QApplication.focusWidget() is text
    chosen = text.words.chosen
    for widget in (popup.look_button, popup.strike_button, text):
        QTest.keyClick(focused_widget(), KEY.Key_Tab)
        assert QApplication.focusWidget() is widget
    for widget in (popup.strike_button, popup.look_button, text):
        QTest.keyClick(focused_widget(), KEY.Key_Backtab)
        assert QApplication.focusWidget() is widget
    QTest.keyClick(text, KEY.Key_Tab)
    QTest.keyClick(focused_widget(), KEY.Key_Escape)
    assert QApplication.focusWidget() is text
    assert (text.words.chosen, popup.isVisible()) == (chosen, True)
    QTest.keyClick(text, KEY.Key_Escape)
    assert not popup.isVisible()
    assert QApplication.focusWidget() is window.prompt_box.prompt_edit


def test_leaving_the_words_gives_the_focus_back_to_what_had_it(window, answered):
    text = answered()
    window.activateWindow()
    button = window.transcript_view.exchange_views[0].body.copy_button
    button.setFocus()
    QTest.keyClick(button, KEY.Key_F2)
    assert QApplication.focusWidget() is text
    QTest.keyClick(text, KEY.Key_Escape)
    assert QApplication.focusWidget() is button


def test_a_button_of_the_popup_works_by_key_and_keeps_the_focus(window, answered, popup, qtbot):
    text = answered()
    window.activateWindow()
    click(text, "cube")
    QTest.keyClick(text, KEY.Key_Tab)
    with qtbot.waitSignal(window.evidence_view.look_again_asked):
        QTest.keyClick(focused_widget(), KEY.Key_Space)
    # It cannot be asked twice; the focus is on the next button, not lost.
    assert QApplication.focusWidget() is popup.strike_button
    with qtbot.waitSignal(window.evidence_view.strike_changed):
        QTest.keyClick(popup.strike_button, KEY.Key_Space)
    window.show_struck(0, (), False)
    assert QApplication.focusWidget() is popup.strike_button
    window.evidence_view.leave()
    assert not popup.isVisible()
    assert QApplication.focusWidget() is window.prompt_box.prompt_edit


def test_for_a_word_without_actions_tab_goes_on_as_everywhere(window, answered):
    text = answered()
    window.activateWindow()
    text.setFocus()
    click(text, "the")
    QTest.keyClick(text, KEY.Key_Tab)
    assert QApplication.focusWidget() is not text
    assert window.transcript_view.isAncestorOf(QApplication.focusWidget())


# ---- the menu


def menus(window):
    return [menu for menu in window.findChildren(QMenu) if menu.isVisible()]


def right_click(widget, at: QPoint) -> None:
    event = QContextMenuEvent(QContextMenuEvent.Reason.Mouse, at, widget.mapToGlobal(at))
    QApplication.sendEvent(widget, event)


def test_a_right_click_anywhere_in_the_conversation_opens_our_menu(window, answered):
    text = answered()
    view = window.transcript_view
    body = view.exchange_views[0].body
    view.exchange_views[0].add_note("A note.")
    alone_at_the_end = QPoint(5, view.scroll_area.viewport().height() - 5)
    for widget, at in (
        (text.viewport(), QPoint(2, text.height() - 2)),
        (text.viewport(), centre(text, "cube")),
        (body.question_label, QPoint(5, 5)),
        (body.foot_label, QPoint(5, 5)),
        (body.note_label, QPoint(5, 5)),
        (body.copy_button, QPoint(5, 5)),
        (body, QPoint(2, 2)),
        (view.scroll_area.viewport(), alone_at_the_end),
        (view.drawings_label, QPoint(2, 2)),
    ):
        right_click(widget, at)
        (menu,) = menus(window)
        texts = [action.text().replace("&", "") for action in menu.actions()]
        assert {"Copy answer", "Select all", "Regenerate answer"} <= set(texts), widget
        assert ("Show where" in texts) == (at == centre(text, "cube"))
        menu.close()


def test_the_menu_opens_by_shift_f10(window, answered):
    text = answered()
    window.activateWindow()
    text.setFocus()
    QTest.keyClick(text, KEY.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    (menu,) = menus(window)
    assert menu.objectName() == "exchange_menu"
    menu.close()
    text.choose_word(index_of(text, "cube"))
    QTest.keyClick(text, KEY.Key_F10, Qt.KeyboardModifier.ShiftModifier)
    (menu,) = menus(window)
    assert menu.objectName() == "word_menu"
    menu.close()


def test_copy_and_select_all_are_about_the_exchange_of_the_menu(window, answered):
    text = answered()
    window.activateWindow()
    window.prompt_box.set_text("being written")

    def choose(name):
        right_click(text.viewport(), QPoint(2, text.height() - 2))
        (menu,) = menus(window)
        action = next(one for one in menu.actions() if one.text().replace("&", "") == name)
        is_enabled = action.isEnabled()
        action.trigger()
        menu.close()
        return is_enabled

    assert not choose("Copy")
    choose("Select all")
    assert text.textCursor().selectedText() == text.toPlainText()
    assert choose("Copy")
    assert QGuiApplication.clipboard().text() == text.toPlainText()
