"""The caption of the image in view: an editor, what another program wrote, and the review."""

from __future__ import annotations

from PySide6.QtCore import Qt, QTimer, Signal, Slot
from PySide6.QtGui import (
    QKeyEvent,
    QResizeEvent,
    QShowEvent,
    QTextCharFormat,
    QTextCursor,
)
from PySide6.QtWidgets import (
    QApplication,
    QFrame,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QTextEdit,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.captions.wording import differing_words
from core.workspace import CaptionMode, CaptionSource, PossibleSources, ReviewState
from gui.widgets.plain_text import text_of
from gui.widgets.text_index import TextIndex
from gui.widgets.theme import Theme
from gui.workspace.answer_bar import AnswerBar
from gui.workspace.caption_counter import CaptionCounter
from gui.workspace.caption_editor import CaptionEditor
from gui.workspace.review_row import ReviewRow
from gui.workspace.source_button import SourceButton
from gui.workspace.spelling_marks import SpellingMarks
from gui.workspace.tag_editor import TagEditor

# One line, where a conflict and a notice need the rest of a low window.
_LEAST_HEIGHT = 36
# Two lines, before anything is shown below them.
_ENOUGH_HEIGHT = 56
# With less, tags have all the room.
_LEAST_FOR_BOTH = 300
_LEAST_FOR_ANSWER = 280
_GAP, _LOW_GAP = 8, 4
_COMPARE_MS = 150
# Less would be a flicker between two images.
_OTHER_SHOWN_MS = 150
# Comparing takes time by the square.
_MOST_COMPARED = 6000
_END = 2**31


class CaptionPanel(QWidget):
    """`text_changed(str)`: there is another text. `typed(str)`: the person changed it.
    `came_into_view()`.
    `left()`: it is to be written now. `escaped()`: the person is done here, by Esc.
    `review_chosen(ReviewState)`: the person thinks so of it; a second time takes that back.
    `ours_kept()`, `theirs_taken()`: which of two texts is wanted. `mode_chosen(CaptionMode)`: the
    captions of the folder are texts, or lists of tags, whose text stays in sight where there is
    room. `revert_asked()`: the caption is to be what the model wrote.
    `source_chosen(CaptionSource)`: the captions of the folder stand in other files."""

    text_changed = Signal(str)
    came_into_view = Signal()
    typed = Signal(str)
    left = Signal()
    escaped = Signal()
    review_chosen = Signal(object)
    ours_kept = Signal()
    theirs_taken = Signal()
    mode_chosen = Signal(object)
    revert_asked = Signal()
    source_chosen = Signal(object)

    def __init__(self, theme: Theme, parent: QWidget | None = None):
        super().__init__(parent)
        self.setObjectName("caption_panel")
        self._theme = theme
        self._is_set_by_program = False
        # Where the cursor was before the text was taken out of sight.
        self._position = 0
        self.editor = CaptionEditor()
        self.editor.setMinimumHeight(_LEAST_HEIGHT)
        self.editor.textChanged.connect(self._on_text_changed)
        self.editor.left.connect(self.left)
        self.spelling = self.editor.spelling = SpellingMarks(self.editor, theme)
        self.spelling.changed.connect(self._on_spelling_changed)
        self._differing: list[QTextEdit.ExtraSelection] = []
        self._mode = CaptionMode.TEXT
        self.tag_editor = TagEditor(theme)
        self.tag_editor.changed.connect(self._on_tags_changed)
        self._answer: str | None = None
        self._theme.changed.connect(self._compare)
        self.answer_bar = AnswerBar(theme)
        self.answer_bar.hide()
        self.answer_bar.revert_asked.connect(self.revert_asked)
        self._compare_timer = QTimer(self, interval=_COMPARE_MS, singleShot=True)
        self._compare_timer.timeout.connect(self._compare)
        self._other_timer = QTimer(self, interval=_OTHER_SHOWN_MS, singleShot=True)
        self._other_timer.timeout.connect(self._clear)
        self.counter = CaptionCounter()
        self.state_label = QLabel()
        self.state_label.setObjectName("caption_state")
        self._column = column = QVBoxLayout(self)
        column.addWidget(self._build_conflict())
        column.addWidget(self.tag_editor, 3)
        column.addWidget(self.editor, 2)
        column.addWidget(self.answer_bar)
        column.addWidget(self.counter)
        below = QHBoxLayout()
        below.setSpacing(8)
        below.addWidget(self.state_label, 1)
        below.addLayout(self._build_modes())
        self.source_button = SourceButton()
        self.source_button.chosen.connect(self.source_chosen)
        below.addWidget(self.source_button)
        column.addLayout(below)
        self.review_row = ReviewRow()
        self.review_row.chosen.connect(self.review_chosen)
        column.addWidget(self.review_row)
        self._show_parts()

    @property
    def has_focus(self) -> bool:
        """Whether it or a part of it has the focus."""
        return self.isVisible() and self.isAncestorOf(QApplication.focusWidget() or self.window())

    def show_text(self, text: str) -> None:
        """Puts another text into the editor; the cursor stays where it is, if it can."""
        position = max(self._position, self.editor.textCursor().position())
        # Nothing may be all that is read so far.
        self._position = 0 if text else position
        is_other = text != text_of(self.editor)
        if is_other:
            self._is_set_by_program = True
            self.editor.setPlainText(text)
            self._is_set_by_program = False
            self.tag_editor.show_text(text)
        position = min(position, self.editor.document().characterCount() - 1)
        if position != self.editor.textCursor().position():
            cursor = self.editor.textCursor()
            cursor.setPosition(position)
            self.editor.setTextCursor(cursor)
        if is_other:
            self._compare()

    def leave_image(self) -> str:
        """The next text is that of another image, and the cursor begins at its end. Returns what
        was typed for this one before its caption was read."""
        self._position = _END
        return self.editor.take_early()

    def set_known(self, is_known: bool) -> None:
        """Says whether the caption is that of the image in view. Another one's is not to be changed
        now, nor to be read for long."""
        if is_known is self.editor.isReadOnly():
            self.tag_editor.set_known(is_known)
            self.editor.set_known(is_known)
            if is_known:
                self._other_timer.stop()
            else:
                self._other_timer.start()

    def show_mode(self, mode: CaptionMode) -> None:
        """Shows captions as texts, or as tags with the text below. Who writes goes on writing."""
        if mode is not self._mode:
            is_written = any(field.hasFocus() for field in (self.editor, self.tag_editor.field))
            self._mode = mode
            self._show_parts()
            if is_written:
                self.focus_editor()

    def show_source(self, source: CaptionSource, possible: PossibleSources) -> None:
        """Says which files the captions of the folder stand in, and which they could."""
        self.source_button.show_source(source, possible)

    def show_state(
        self,
        *,
        is_modified: bool,
        found: str | None,
        review: ReviewState,
        answer: str | None = None,
        problem: str = "",
    ) -> None:
        """Shows whether all is written, what another program wrote, the review, what a model wrote,
        and why the caption cannot be read."""
        self.editor.show_problem(problem)
        if answer != self._answer:
            self._answer = answer
            self._compare()
        self.state_label.setText(self.tr("Not saved yet") if is_modified else "")
        self._show_conflict(found)
        self.review_row.show_review(review)

    def _show_conflict(self, found: str | None) -> None:
        if self.conflict_bar.isHidden() is (found is not None):
            self.conflict_bar.setVisible(found is not None)
            self._show_parts()
        is_by_model = found is not None and self._answer is not None and found == self._answer
        by_model = self.tr("The model wrote another caption meanwhile")
        by_others = self.tr("Changed elsewhere meanwhile")
        self.conflict_label.setText(by_model if is_by_model else by_others)
        self.found_label.setText(found or self.tr("(no caption)"))

    @property
    def field(self) -> QWidget:
        """Where the caption is written, or the next tag."""
        return self.tag_editor.field if self._mode is CaptionMode.TAGS else self.editor

    def focus_editor(self) -> None:
        """Puts the cursor at the end of the caption, or where the next tag is added."""
        # With other reasons, a line edit selects what is in it, and the next letter replaces it.
        self.field.setFocus(Qt.FocusReason.OtherFocusReason)
        if self.field is self.editor:
            self.editor.moveCursor(QTextCursor.MoveOperation.End)

    def _build_conflict(self) -> QFrame:
        self.conflict_bar = QFrame()
        self.conflict_bar.setObjectName("conflict_bar")
        column = QVBoxLayout(self.conflict_bar)
        column.setContentsMargins(12, 8, 12, 8)
        self.conflict_bar.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Fixed)
        self.conflict_label = QLabel()
        self.conflict_label.setTextFormat(Qt.TextFormat.PlainText)
        self.conflict_label.setWordWrap(True)
        self.conflict_label.setProperty("class", "section")
        self.found_label = QLabel()
        self.found_label.setObjectName("found_label")
        self.found_label.setTextFormat(Qt.TextFormat.PlainText)
        self.found_label.setWordWrap(True)
        self.ours_button = QPushButton(self.tr("Keep mine"))
        self.theirs_button = QPushButton(self.tr("Use theirs"))
        row = QHBoxLayout()
        for button in (self.ours_button, self.theirs_button):
            button.setProperty("class", "small")
            button.setAutoDefault(False)
            button.setFocusPolicy(Qt.FocusPolicy.TabFocus)
            row.addWidget(button)
        row.addStretch()
        self.ours_button.clicked.connect(self.ours_kept)
        self.theirs_button.clicked.connect(self.theirs_taken)
        for button in (self.ours_button, self.theirs_button, self.answer_bar.revert_button):
            button.clicked.connect(self._on_other_text_chosen)
        column.addWidget(self.conflict_label)
        column.addWidget(self.found_label)
        column.addLayout(row)
        self.conflict_bar.hide()
        return self.conflict_bar

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Esc comes here from all parts that have no use for it."""
        if event.key() == Qt.Key.Key_Escape:
            self.escaped.emit()
        else:
            super().keyPressEvent(event)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.came_into_view.emit()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._show_parts()

    def _build_modes(self) -> QHBoxLayout:
        texts = {CaptionMode.TEXT: self.tr("Text"), CaptionMode.TAGS: self.tr("Tags")}
        tips = {
            CaptionMode.TEXT: self.tr("The captions of this folder are sentences"),
            CaptionMode.TAGS: self.tr("The captions of this folder are lists of tags"),
        }
        self.mode_buttons: dict[CaptionMode, QToolButton] = {}
        row = QHBoxLayout()
        row.setSpacing(2)
        for mode, text in texts.items():
            button = QToolButton()
            button.setText(text)
            button.setObjectName(f"mode_{mode.value}")
            button.setProperty("class", "choice")
            button.setCheckable(True)
            button.setToolTip(tips[mode])
            button.clicked.connect(self._on_mode_clicked)
            self.mode_buttons[mode] = button
            row.addWidget(button)
        return row

    def _show_parts(self) -> None:
        is_tags = self._mode is CaptionMode.TAGS
        for mode, button in self.mode_buttons.items():
            button.setChecked(mode is self._mode)
        self.tag_editor.setVisible(is_tags)
        self.editor.setVisible(not is_tags or self.height() >= _LEAST_FOR_BOTH)
        self.answer_bar.set_has_room(self.height() >= _LEAST_FOR_ANSWER)
        # The editor comes first in a low window; keys review, too.
        rows = [self.counter, self.source_button, self.review_row]
        if not self.conflict_bar.isHidden():
            rows.append(self.conflict_bar)
        least = self.tag_editor.minimumSizeHint().height() if is_tags else _ENOUGH_HEIGHT
        least += sum(self._height_of(row) + _GAP for row in rows) + 2 * _GAP
        has_room = self.height() >= least
        for row in (self.counter, self.review_row):
            row.setVisible(has_room)
        self._column.setSpacing(_GAP if has_room else _LOW_GAP)
        self._column.setContentsMargins(12, 12 if has_room else _LOW_GAP, 12, _LOW_GAP)

    def _height_of(self, row: QWidget) -> int:
        """Of a row of the panel, in which a text may need several lines."""
        if row.hasHeightForWidth():
            return row.heightForWidth(self.contentsRect().width())
        return row.sizeHint().height()

    @Slot()
    def _clear(self) -> None:
        self.show_text("")

    @Slot()
    def _compare(self) -> None:
        """Shows in which words the caption differs from what the model wrote."""
        answer, text = self._answer, text_of(self.editor)
        is_changed = answer is not None and answer.strip() != text.strip()
        marks: list[QTextEdit.ExtraSelection] = []
        if answer is not None and is_changed:
            can_compare = max(len(answer), len(text)) <= _MOST_COMPARED
            removed, added = differing_words(answer, text) if can_compare else ([], [])
            self.answer_bar.show_answer(answer, removed)
            marks = [self._mark(text, span) for span in added]
        self.answer_bar.setVisible(is_changed)
        self._differing = marks
        self._show_marks()

    @Slot()
    def _on_spelling_changed(self) -> None:
        self.tag_editor.chips.show_wrong(self.spelling.words)
        self._show_marks()

    def _show_marks(self) -> None:
        self.editor.setExtraSelections([*self._differing, *self.spelling.selections()])

    def _mark(self, text: str, span: tuple[int, int]) -> QTextEdit.ExtraSelection:
        index = TextIndex(text)
        mark = QTextEdit.ExtraSelection()
        cursor = QTextCursor(self.editor.document())
        cursor.setPosition(index.to_qt(span[0]))
        cursor.setPosition(index.to_qt(span[1]), QTextCursor.MoveMode.KeepAnchor)
        form = QTextCharFormat()
        form.setFontUnderline(True)
        form.setForeground(self._theme.colour("accent"))
        mark.cursor, mark.format = cursor, form  # type: ignore[attr-defined]
        return mark

    @Slot()
    def _on_other_text_chosen(self) -> None:
        """It is the caption now, and its button is gone."""
        self.focus_editor()

    @Slot()
    def _on_mode_clicked(self) -> None:
        if not any(button.hasFocus() for button in self.mode_buttons.values()):
            self.focus_editor()  # The keys stay where they are.
        for mode, button in self.mode_buttons.items():
            button.setChecked(mode is self._mode)
            if button is self.sender() and mode is not self._mode:
                self.mode_chosen.emit(mode)

    @Slot(str)
    def _on_tags_changed(self, text: str) -> None:
        """A tag is a whole edit, so it is written at once; the text's own undo knows it too."""
        cursor = QTextCursor(self.editor.document())
        cursor.select(QTextCursor.SelectionType.Document)
        cursor.insertText(text)
        self.left.emit()

    @Slot()
    def _on_text_changed(self) -> None:
        text = text_of(self.editor)
        self.counter.show_text(text)
        self.text_changed.emit(text)
        self._compare_timer.start()
        if not self._is_set_by_program:
            self._position = 0
            self.tag_editor.show_text(text)
            self.typed.emit(text)
