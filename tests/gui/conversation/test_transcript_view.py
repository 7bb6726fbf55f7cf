import time

import pytest
from PIL import Image
from PySide6.QtCore import QObject, QPoint, QPointF, QRect, Qt, QTimer, Slot
from PySide6.QtGui import QFontInfo, QGuiApplication, QWheelEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QLabel, QPlainTextEdit

from core.picture import Picture
from core.transcript import Answer, Ending, Exchange, Transcript
from gui.conversation.exchange_foot import foot_line
from gui.conversation.transcript_view import TranscriptView
from gui.widgets.theme import Theme

PICTURE = Picture(None, Image.new("RGB", (4, 4)), (), (4, 4))
SENTENCE = "A red circle lies to the left of a blue square on a yellow ground. "


@pytest.fixture
def theme(qapp):
    return Theme(qapp, "light")


@pytest.fixture
def view(theme, qtbot):
    view = TranscriptView(theme)
    qtbot.addWidget(view)
    view.resize(420, 500)
    view.show()
    return view


def answer(text="A red square.", ending=Ending.COMPLETE, **more):
    return Answer(text, ending, tokens=42, seconds=0.46, seconds_to_first_token=0.21, **more)


def say(view, prompt="What is it?", text="A red square.", ending=Ending.COMPLETE):
    view.begin_answer(prompt)
    view.append(text)
    view.finish(answer(text, ending))
    return view.exchange_views[-1]


def conversation(count, text=SENTENCE * 20):
    exchanges = (Exchange(f"Question {n}?", answer(f"{n}. {text}")) for n in range(count))
    return Transcript.of(PICTURE, tuple(exchanges))


def shown(exchange):
    return exchange.answer_text.toPlainText()


def focused() -> QPlainTextEdit:
    widget = QApplication.focusWidget()
    assert isinstance(widget, QPlainTextEdit)
    return widget


def bar_of(view):
    return view.scroll_area.verticalScrollBar()


def wheel(view, steps):
    target = view.scroll_area.viewport()
    at = target.rect().center()
    event = QWheelEvent(
        QPointF(at),
        QPointF(target.mapToGlobal(at)),
        QPoint(),
        QPoint(0, 120 * steps),
        Qt.MouseButton.NoButton,
        Qt.KeyboardModifier.NoModifier,
        Qt.ScrollPhase.NoScrollPhase,
        False,
    )
    QApplication.sendEvent(target, event)


def parts_of(exchange):
    """The question, the answer and the line below it, as they are laid out, from the top."""
    body = exchange.body
    parts = (body.question_label, body.answer_text, body.foot_label)
    shown = [part for part in parts if part.isVisible()]
    return [(part, part.mapTo(exchange, QPoint()).y(), part.height()) for part in shown]


def needed_height(part):
    if isinstance(part, QLabel):
        return part.heightForWidth(part.width())
    return int(part.document().size().height())


@pytest.mark.parametrize("width", [300, 420, 900])
@pytest.mark.parametrize("text", [SENTENCE * 6, "One\n\n- two\n- three\n\nfour", "Short."])
def test_nothing_is_squeezed_or_jumps_while_an_answer_streams(view, qapp, width, text):
    view.resize(width, 500)
    say(view)
    view.begin_answer("What is in this image, and where is each thing? " * 4)
    exchange = view.exchange_views[-1]
    QTest.qWait(20)
    question_at = parts_of(exchange)[0][1:]
    for piece in [*text, None]:
        if piece is None:
            view.finish(answer(text))
        else:
            view.append(piece)
        qapp.processEvents()
        parts = parts_of(exchange)
        assert parts[0][1:] == question_at
        end = 0
        for part, top, height in parts:
            assert top >= end, (piece, part)
            assert height >= needed_height(part), (piece, part)
            end = top + height
        assert end <= exchange.height()


def test_pieces_appear_as_they_come(view):
    view.begin_answer("What is it?")
    exchange = view.exchange_views[0]
    assert exchange.body.question_label.text() == "What is it?"
    for piece, so_far in (("A ", "A "), ("red ", "A red "), ("square.", "A red square.")):
        view.append(piece)
        assert shown(exchange) == so_far


def test_markdown_is_rendered_once_the_answer_is_complete(view):
    view.begin_answer("List them.")
    view.append("- **red**\n- *blue*")
    exchange = view.exchange_views[0]
    assert shown(exchange) == "- **red**\n- *blue*"
    view.finish(answer("- **red**\n- *blue*"))
    assert shown(exchange) == "red\nblue"


def test_plain_text_does_not_move_when_it_is_complete(view):
    text = SENTENCE * 5
    view.begin_answer("Describe.")
    view.append(text)
    before = view.exchange_views[0].answer_text.height()
    view.finish(answer(text.strip()))
    assert view.exchange_views[0].answer_text.height() == before


def test_the_models_line_breaks_stay(view):
    exchange = say(view, text="one\ntwo\n\nthree")
    assert shown(exchange).split() == ["one", "two", "three"]
    assert exchange.answer_text.document().blockCount() == 3


@pytest.mark.parametrize(
    ("said", "seen"),
    [
        ("See ![x](https://tracker.invalid/a.png) here", "See !x (https://tracker.invalid/a.png)"),
        ("Go [there](https://a.invalid/?q=1)!", "Go there (https://a.invalid/?q=1)!"),
        ("<https://a.invalid/>", "https://a.invalid/"),
        ("<img src='https://a.invalid/x.png'><script>1</script>", "<img src="),
        ("![x](file:///etc/passwd)", "!x (file:///etc/passwd)"),
    ],
)
def test_nothing_is_fetched_and_no_link_leads_out(view, said, seen):
    exchange = say(view, text=said)
    assert seen in shown(exchange)
    html = exchange.answer_text.toHtml()
    assert "<a " not in html
    assert "<img" not in html


def test_copying_gives_the_answer_as_the_model_said_it(view):
    exchange = say(view, text="**A** red_square_ with 2 * 3 stars\n- and [this](x)")
    QTest.mouseClick(exchange.body.copy_button, Qt.MouseButton.LeftButton)
    copied = QGuiApplication.clipboard().text()
    assert copied == "**A** red_square_ with 2 * 3 stars\n- and [this](x)"
    assert exchange.body.copy_button.toolTip() == "Copied"


def test_copying_a_selection_gives_plain_text(view):
    exchange = say(view, text="A **bold** word")
    exchange.answer_text.setFocus()
    exchange.answer_text.selectAll()
    QTest.keyClick(exchange.answer_text, Qt.Key.Key_C, Qt.KeyboardModifier.ControlModifier)
    mime = QGuiApplication.clipboard().mimeData()
    assert mime.text() == "A bold word"
    assert not mime.hasHtml()


def test_copying_all_gives_the_conversation(view):
    say(view, "One?", "First.")
    say(view, "Two?", "**Second**.")
    view.copy_all()
    assert QGuiApplication.clipboard().text() == "One?\nFirst.\n\nTwo?\n**Second**."


def test_the_foot_says_what_the_answer_took(view):
    exchange = say(view)
    assert plain(exchange.body.foot_label.text()) == (
        "42 tokens · first word after 0.21 s · 164 tokens/s"
    )


def plain(text):
    """With spaces at which a line may be broken."""
    return text.replace("\u00a0", " ")


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        (Ending.COMPLETE, "tokens/s"),
        (Ending.LENGTH, "length reached"),
        (Ending.STOPPED, "stopped"),
    ],
)
def test_the_foot_says_how_it_ended(ending, words):
    assert plain(foot_line(answer(ending=ending))).endswith(words)


def test_the_foot_mentions_what_was_left_out():
    assert plain(foot_line(answer(left_out=2))).endswith("without 2 earlier questions")


def test_an_answer_stopped_before_its_first_word_has_a_foot_and_no_text(view):
    view.begin_answer("Quick!")
    view.finish(Answer("", Ending.STOPPED, 0, 0.1))
    exchange = view.exchange_views[0]
    assert plain(exchange.body.foot_label.text()) == "0 tokens · stopped"
    assert not exchange.answer_text.isVisible()
    assert not exchange.body.copy_button.isVisible()


def test_until_the_first_word_it_says_what_is_waited_for(view):
    view.show_wait("Your question waits for the model.")
    view.begin_answer("What is it?")
    foot = view.exchange_views[0].body.foot_label
    assert "Your question waits" in foot.text()
    view.show_wait("")
    assert foot.text() == "Looking at the image…"
    view.append("A")
    assert foot.text() == "Answering…"


def test_an_error_is_shown_in_place_and_what_was_said_stays(view, qtbot):
    view.begin_answer("What is it?")
    view.append("A red")
    view.fail("The graphics card has no memory left. Close other programs and try again.")
    exchange = view.exchange_views[0]
    assert shown(exchange) == "A red"
    assert "no memory left" in exchange.body.error_line.label.text()
    with qtbot.waitSignal(view.regenerate_asked):
        QTest.mouseClick(exchange.body.error_line.try_button, Qt.MouseButton.LeftButton)


def test_only_the_last_answer_can_be_had_once_more(view, qtbot):
    first, last = say(view), say(view)
    assert not first.body.again_button.isVisible()
    with qtbot.waitSignal(view.regenerate_asked):
        QTest.mouseClick(last.body.again_button, Qt.MouseButton.LeftButton)
    view.begin_answer("And now?")
    assert not last.body.again_button.isVisible()


def test_a_question_is_edited_in_its_place(view, qtbot):
    say(view, "What is it?")
    say(view, "And now?")
    exchange = view.exchange_views[0]
    QTest.mouseClick(exchange.body.edit_button, Qt.MouseButton.LeftButton)
    edit = focused()
    assert edit.toPlainText() == "What is it?"
    QTest.keyClicks(edit, "What is round?")
    with qtbot.waitSignal(view.edited) as signal:
        QTest.keyClick(edit, Qt.Key.Key_Return)
    assert signal.args == [0, "What is round?"]
    assert exchange.body.question_label.isVisible()


def test_giving_up_an_edit_changes_nothing(view, qtbot):
    exchange = say(view, "What is it?")
    QTest.mouseClick(exchange.body.edit_button, Qt.MouseButton.LeftButton)
    QTest.keyClicks(focused(), "Something else")
    with qtbot.assertNotEmitted(view.edited):
        QTest.keyClick(focused(), Qt.Key.Key_Escape)
    assert exchange.body.question_label.isVisible()
    assert exchange.body.question_label.text() == "What is it?"


def test_an_edit_is_not_sent_and_not_lost_while_an_answer_is_written(view, qtbot):
    exchange = say(view, "What is it?")
    view.begin_answer("And now?")
    QTest.mouseClick(exchange.body.edit_button, Qt.MouseButton.LeftButton)
    edit = focused()
    QTest.keyClicks(edit, "What is round?")
    with qtbot.assertNotEmitted(view.edited):
        QTest.keyClick(edit, Qt.Key.Key_Return)
    view.finish(answer())
    with qtbot.waitSignal(view.edited):
        QTest.keyClick(edit, Qt.Key.Key_Return)


def test_cutting_keeps_the_first_exchanges(view):
    for n in range(3):
        say(view, f"Question {n}?")
    view.cut(1)
    assert [exchange.prompt for exchange in view.exchange_views] == ["Question 0?"]
    assert view.exchange_views[0].body.again_button.isVisible()


def test_cleared_it_says_what_will_be_here(view):
    say(view)
    assert not view.empty_label.isVisible()
    view.clear()
    assert view.empty_label.isVisible()
    assert view.text() == ""


def test_it_follows_the_end_while_an_answer_grows(view):
    view.begin_answer("Describe.")
    for _ in range(80):
        view.append(SENTENCE)
        assert bar_of(view).value() == bar_of(view).maximum()
    assert bar_of(view).maximum() > 500
    assert not view.end_button.isVisible()


def test_it_stays_where_the_reader_scrolled_and_offers_the_end(view):
    say(view, text=SENTENCE * 80)
    view.begin_answer("More.")
    wheel(view, 5)
    where = bar_of(view).value()
    assert view.end_button.isVisible()
    for _ in range(40):
        view.append(SENTENCE)
    assert bar_of(view).value() == where
    QTest.mouseClick(view.end_button, Qt.MouseButton.LeftButton)
    assert bar_of(view).value() == bar_of(view).maximum()
    assert not view.end_button.isVisible()
    view.append(SENTENCE * 10)
    assert bar_of(view).value() == bar_of(view).maximum()


@pytest.mark.parametrize("size", [(300, 220), (560, 500)])
def test_button_to_the_end_covers_no_words_and_no_buttons(view, size):
    view.resize(*size)
    say(view, text=SENTENCE * 80)
    say(view, text=SENTENCE * 80)
    wheel(view, 5)
    button = view.end_button
    assert button.isVisible()
    left = button.mapTo(view, QPoint()).x()
    assert left + button.width() <= view.width()
    for exchange in view.exchange_views:
        body = exchange.body
        for widget in (body.answer_text, body.question_label, body.again_button):
            assert widget.mapTo(view, widget.rect().topRight()).x() < left


def test_scrolling_back_to_the_end_follows_again(view):
    say(view, text=SENTENCE * 80)
    wheel(view, 5)
    wheel(view, -20)
    assert not view.end_button.isVisible()


def test_a_new_question_goes_to_the_end(view):
    say(view, text=SENTENCE * 80)
    wheel(view, 10)
    view.begin_answer("And now?")
    assert bar_of(view).value() == bar_of(view).maximum()


def test_a_kept_conversation_is_shown_from_its_end(view, qtbot):
    kept = conversation(30)
    view.show_transcript(kept)
    assert view.exchange_views[-1].prompt == "Question 29?"
    assert bar_of(view).value() == bar_of(view).maximum()
    assert view.text().startswith("Question 0?\n0. A red circle")
    qtbot.waitUntil(lambda: len(view.exchange_views) == 30)
    assert [exchange.prompt for exchange in view.exchange_views] == [
        exchange.prompt for exchange in kept.exchanges
    ]
    assert bar_of(view).value() == bar_of(view).maximum()


def test_a_question_without_an_answer_is_shown_as_such(view):
    view.show_transcript(Transcript.of(PICTURE, (Exchange("Lost?"),)))
    assert "no answer" in view.exchange_views[0].body.error_line.label.text()


def test_the_index_of_an_edit_counts_what_is_not_laid_out_yet(view, qtbot):
    view.show_transcript(conversation(60))
    exchange = view.exchange_views[-1]
    QTest.mouseClick(exchange.body.edit_button, Qt.MouseButton.LeftButton)
    with qtbot.waitSignal(view.edited) as signal:
        QTest.keyClick(focused(), Qt.Key.Key_Return)
    assert signal.args == [59, "Question 59?"]


def test_exchanges_never_overlap_at_any_width(view, qtbot):
    view.show_transcript(conversation(12))
    for width in (700, 310, 420):
        view.resize(width, 500)
        qtbot.waitUntil(lambda: not view.scroll_area._stale)
        y = 0
        for exchange in view.exchange_views:
            assert exchange.y() == y
            assert exchange.height() == exchange.fit(exchange.width())
            y += exchange.height()


def test_what_is_read_stays_in_sight_when_the_width_changes(view, qtbot):
    view.show_transcript(conversation(20))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 20)
    tenth = view.exchange_views[10]
    bar_of(view).setValue(tenth.y())
    view.resize(320, 500)
    qtbot.waitUntil(lambda: not view.scroll_area._stale)
    assert abs(bar_of(view).value() - tenth.y()) <= 1


def test_words_without_an_end_are_broken_and_not_cut_off(view):
    exchange = say(view, "x" * 400, "y" * 2000)
    inside = view.scroll_area.viewport().width()
    assert exchange.body.question_label.minimumSizeHint().width() < inside
    assert exchange.body.question_label.height() > 60
    assert exchange.answer_text.document().idealWidth() <= inside
    exchange.edit()
    assert exchange.prompt == "x" * 400


def test_larger_text_is_laid_out_anew(view, theme, qtbot):
    exchange = say(view, text=SENTENCE * 5)
    before = exchange.answer_text.height()
    theme.choose_text_percent(150)
    qtbot.waitUntil(lambda: exchange.answer_text.height() > before)
    assert QFontInfo(exchange.body.question_label.font()).pixelSize() == 21


def test_the_built_in_models_limits_are_reported_with_how_to_get_the_real_one(view, qtbot):
    assert not view.drawings_label.isVisible()
    view.show_only_drawings(True)
    assert "drawings, not photos" in view.drawings_label.text()
    view.drawings_label.setFocus()
    QTest.keyClick(view.drawings_label, Qt.Key.Key_Tab)
    with qtbot.waitSignal(view.model_requested):
        QTest.keyClick(view.drawings_label, Qt.Key.Key_Return)
    view.show_only_drawings(False)
    assert not view.drawings_label.isVisible()


class _Heart(QObject):
    """Beats as often as the loop turns, and keeps the longest turn in this thread's own time.

    Its own time, not the wall's: what other processes take must not fail a test.
    """

    def __init__(self):
        super().__init__()
        self.longest = 0.0
        self._last = time.thread_time()
        self._timer = QTimer(self, interval=0)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    @Slot()
    def _on_timeout(self):
        now = time.thread_time()
        self.longest = max(self.longest, now - self._last)
        self._last = now


class _Model(QObject):
    """Says a word every two milliseconds."""

    def __init__(self, view, words):
        super().__init__()
        self._view = view
        self.left = words
        self._timer = QTimer(self, interval=2, timerType=Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._on_timeout)
        self._timer.start()

    @Slot()
    def _on_timeout(self):
        self._view.append("word " if self.left % 12 else "end.\n")
        self.left -= 1
        if not self.left:
            self._timer.stop()


@pytest.mark.no_cover  # It measures time.
def test_a_long_conversation_streams_without_a_stall(view, qtbot):
    view.show_transcript(conversation(200))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 200)
    view.begin_answer("Go on.")
    heart, model = _Heart(), _Model(view, 800)
    qtbot.waitUntil(lambda: not model.left)
    assert heart.longest < 0.05
    assert len(view.exchange_views[-1].answer) > 3000


def order_of_focus(view):
    """The exchanges whose edit buttons and then answers Tab comes to, in order."""
    parts = {}
    for exchange in view.exchange_views:
        if exchange.is_awake:
            parts[exchange.body.edit_button] = parts[exchange.answer_text] = exchange
    found, widget = [], view.scroll_area
    while (widget := widget.nextInFocusChain()) is not view.scroll_area:
        if widget in parts:
            found.append(parts[widget])
    return found


def test_of_a_long_conversation_only_what_is_near_has_widgets(view, qtbot):
    view.show_transcript(conversation(40))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 40)
    for place in (0, 10_000, bar_of(view).maximum()):
        bar_of(view).setValue(place)
        heights = [exchange.height() for exchange in view.exchange_views]
        top, bottom = place, place + view.scroll_area.viewport().height()
        seen = [
            exchange
            for exchange in view.exchange_views
            if exchange.y() < bottom and exchange.geometry().bottom() >= top
        ]
        qtbot.waitUntil(lambda seen=seen: all(exchange.is_awake for exchange in seen))
        qtbot.waitUntil(lambda: sum(e.is_awake for e in view.exchange_views) < 8)
        assert [exchange.height() for exchange in view.exchange_views] == heights
        awake = [exchange for exchange in view.exchange_views if exchange.is_awake]
        assert order_of_focus(view) == [each for each in awake for _ in range(2)]


def test_what_is_said_of_an_answer_is_shown_again_after_a_look_elsewhere(view, qtbot):
    view.show_transcript(conversation(40))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 40)
    bar_of(view).setValue(0)
    first = view.exchange_views[0]
    first.show_struck([(0, 2)])
    foot = first.body.foot_label.text()
    view.scroll_area.go_to_end()
    qtbot.waitUntil(lambda: not first.is_awake)
    assert first.accessibleName().startswith("Question 0?")
    view.set_trace_obstacle("It is too large.")
    bar_of(view).setValue(0)
    qtbot.waitUntil(lambda: first.is_awake)
    assert first.body.foot_label.text() == foot
    assert first.answer_text.words.draws
    assert first.body.inspect_button.toolTip() == "It is too large."
    assert first.height() == first.fit(first.width())


@pytest.mark.parametrize("how", ["edit", "selection", "focus"])
def test_what_a_person_has_begun_outlives_a_look_elsewhere(view, qtbot, how):
    view.show_transcript(conversation(40))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 40)
    bar_of(view).setValue(0)
    first = view.exchange_views[0]
    match how:
        case "edit":
            first.edit()
            focused().setPlainText("Half a thought")
        case "selection":
            first.answer_text.selectAll()
        case "focus":
            first.body.copy_button.setFocus()
    body = first.body
    view.scroll_area.go_to_end()
    qtbot.waitUntil(lambda: not view.scroll_area._slice_timer.isActive())
    assert first.body is body


def test_other_colours_leave_every_exchange_as_high_as_it_was(view, theme, qtbot):
    view.show_transcript(conversation(12))
    qtbot.waitUntil(lambda: len(view.exchange_views) == 12)
    qtbot.waitUntil(lambda: not view.scroll_area._slice_timer.isActive())
    heights = [exchange.height() for exchange in view.exchange_views]
    with qtbot.waitSignal(theme.changed):
        theme.choose("dark")
        # Whoever resizes the window now, measures widgets that wear nothing.
        view.resize(400, 500)
    view.resize(420, 500)
    qtbot.waitUntil(lambda: not view.scroll_area._slice_timer.isActive())
    assert [exchange.height() for exchange in view.exchange_views] == heights
    assert heights == [exchange.fit(exchange.width()) for exchange in view.exchange_views]


@pytest.mark.parametrize("index", [0, 3, 7])
@pytest.mark.parametrize("height", [140, 500])
def test_question_that_is_edited_comes_into_view(view, index, height):
    view.resize(420, height)
    for number in range(8):
        say(view, f"Question {number}?", SENTENCE * 12)
    view.scroll_area.go_to_end()
    view.exchange_views[index].edit()
    edit = focused()
    assert edit.toPlainText() == f"Question {index}?"

    def seen():
        return QRect(edit.mapTo(view.scroll_area, QPoint()), edit.size())

    inside = view.scroll_area.rect()
    for _ in range(3):
        QTest.qWait(5)
        assert inside.contains(seen())


def test_line_about_drawings_is_whole_where_there_is_no_room_for_more(view):
    view.show_only_drawings(True)
    view.resize(270, 500)
    assert view.empty_label.height() >= view.empty_label.heightForWidth(270)
    note = view.drawings_label
    view.resize(270, note.heightForWidth(270) + 10)
    assert note.height() >= note.heightForWidth(note.width())
    image = view.empty_label.grab().toImage()
    assert len({image.pixel(x, y) for x in range(image.width()) for y in range(10)}) == 1
