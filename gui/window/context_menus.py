"""The context menus, made from the table of commands.

They are opened by the right button, the menu key or Shift+F10.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication, QObject, QPoint, QRect, QRectF, Qt, Slot
from PySide6.QtGui import QContextMenuEvent, QGuiApplication
from PySide6.QtWidgets import QApplication, QMenu, QWidget

from core.workspace import query_term
from gui.conversation.exchange_view import ExchangeView
from gui.conversation.part_button import asked_text
from gui.window.actions import Entry
from gui.window.availability import obstacle
from gui.window.command import Command
from gui.window.commands import Place
from gui.workspace.tag_chips import TagChips

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


class ContextMenus(QObject):
    """Opens them for the image, its thumbnails, exchanges, words, the images of
    a folder, the tags of a caption and the rows of a folder run."""

    def __init__(self, window: MainWindow):
        super().__init__(window)
        self._window, self._actions = window, window.command_actions
        view = window.drop_zone.picture_view
        view.setContextMenuPolicy(Qt.ContextMenuPolicy.CustomContextMenu)
        view.customContextMenuRequested.connect(self._on_image_menu_asked)
        window.drop_zone.picture_strip.menu_asked.connect(self._on_thumbnail_menu_asked)
        window.batch_panel.list.menu_asked.connect(self._on_row_menu_asked)
        window.workspace_pane.list.menu_asked.connect(self._on_list_menu_asked)
        window.caption_panel.tag_editor.chips.menu_asked.connect(self._on_tag_menu_asked)
        window.transcript_view.menu_asked.connect(self._on_exchange_menu_asked)
        window.transcript_view.word_menu_asked.connect(self._on_word_menu_asked)

    @Slot(QPoint)
    def _on_image_menu_asked(self, at: QPoint) -> None:
        menu = self._actions.context_menu(Place.IMAGE)
        menu.popup(self._window.drop_zone.picture_view.mapToGlobal(at))

    @Slot(int, QPoint)
    def _on_thumbnail_menu_asked(self, number: int, at: QPoint) -> None:
        strip = self._window.drop_zone.picture_strip
        clicked = {
            Command.SHOW_PICTURE: Entry(
                partial(strip.choose, number), "" if number == strip.current else None
            ),
            Command.REVEAL_PICTURE: Entry(partial(strip.reveal, number)),
            Command.CLOSE_PICTURE: Entry(partial(strip.close_asked.emit, number)),
        }
        self._actions.context_menu(Place.THUMBNAIL, clicked=clicked).popup(at)

    @Slot(QPoint)
    def _on_row_menu_asked(self, at: QPoint) -> None:
        self._actions.context_menu(Place.ROW).popup(at)

    @Slot(int, QPoint)
    def _on_list_menu_asked(self, id: int, at: QPoint) -> None:
        pane = self._window.workspace_pane
        clicked = {
            Command.LIST_REVEAL: Entry(partial(pane.reveal_asked.emit, id)),
            Command.LIST_CLOSE: Entry(partial(pane.close_asked.emit, id)),
        }
        self._actions.context_menu(Place.LIST, clicked=clicked).popup(at)

    @Slot(QPoint)
    def _on_tag_menu_asked(self, at: QPoint) -> None:
        editor = self._window.caption_panel.tag_editor
        chips, tags = editor.chips, editor.chips.chosen
        shown = self._window.state.workspace
        no_list = None if shown.is_list_shown else self.tr("Open a folder to search its images.")
        none_selected = None if shown.selected > 1 else self.tr("Select several images first.")
        is_one = None if len(tags) == 1 else ""
        several = self.tr("&Remove {count} tags").format(count=len(tags))
        find = query_term("tag", tags[0]) if tags else ""
        query_line = self._window.workspace_pane.query_line
        clicked: dict[Command, Entry | None] = {
            Command.TAG_EDIT: Entry(chips.edit_current, is_one),
            Command.TAG_COPY: Entry(chips.copy),
            Command.TAG_REMOVE: Entry(chips.remove, text=several if len(tags) > 1 else ""),
            Command.TAG_LEFT: Entry(partial(chips.move_by, -1), _blocked(chips, -1)),
            Command.TAG_RIGHT: Entry(partial(chips.move_by, 1), _blocked(chips, 1)),
            Command.TAG_FIND: Entry(
                partial(query_line.search_for, find), no_list if is_one is None else is_one
            ),
            Command.TAG_ADD: Entry(partial(editor.add_to_selected, tags), none_selected),
        }
        self._actions.context_menu(Place.TAG, clicked=clicked).popup(at)

    @Slot(object, QPoint)
    def _on_exchange_menu_asked(self, view: ExchangeView, at: QPoint) -> None:
        self.menu_of(view).popup(at)

    @Slot(object, int, QPoint)
    def _on_word_menu_asked(self, view: ExchangeView, word: int, at: QPoint) -> None:
        self.menu_of(view, word).popup(at)

    def menu_of(self, view: ExchangeView, word: int = -1) -> QMenu:
        """Returns the menu of an exchange, and of a word of its answer, which deletes itself."""
        clicked = self._about_exchange(view)
        if word < 0:
            return self._actions.context_menu(Place.EXCHANGE, clicked=clicked)
        clicked |= self._about_word(view, word)
        return self._actions.context_menu(Place.WORD, Place.EXCHANGE, clicked=clicked)

    def _about_exchange(self, view: ExchangeView) -> dict[Command, Entry | None]:
        is_whole, no_trace = not view.is_open, obstacle(self._window.state, Command.INSPECT)
        of_answer = None if is_whole and view.answer else ""
        clicked: dict[Command, Entry | None] = {
            Command.COPY_SELECTION: Entry(view.copy_selection, None if view.has_selection else ""),
            Command.SELECT_ALL: Entry(view.select_answer, of_answer),
            Command.COPY: Entry(view.copy, of_answer),
            Command.COPY_QUESTION: Entry(partial(_copy, asked_text(view.prompt, view.part))),
            Command.EDIT_QUESTION: Entry(view.edit, None if is_whole else ""),
            Command.INSPECT: Entry(
                view.inspect_asked.emit, no_trace if of_answer is None else of_answer
            ),
        }
        if view is not self._window.transcript_view.exchange_views[-1]:
            # They are about the last one.
            clicked |= {Command.REGENERATE: None, Command.WORDS: None}
        return clicked

    def _about_word(self, view: ExchangeView, word: int) -> dict[Command, Entry | None]:
        evidence, words = self._window.evidence_view, view.answer_text.words
        show = Entry(partial(evidence.show_where, view, word))
        if not words.words[word].is_content:
            return {
                Command.WORD_WHERE: show,
                Command.WORD_LOOK: None,
                Command.WORD_STRIKE: None,
            }
        can_look = view.can_look_again(word)
        return {
            Command.WORD_WHERE: show,
            Command.WORD_LOOK: Entry(
                partial(evidence.look_again, view, word),
                (evidence.obstacle or None) if can_look else "",
            ),
            Command.WORD_STRIKE: Entry(
                partial(evidence.toggle_strike, view, word),
                text=self.tr("Undo &strike-out") if words.is_struck(word) else "",
            ),
        }


def open_by_key(widget: QWidget | None) -> None:
    """Opens the menu of the widget with the focus, as the menu key does."""
    if widget is not None and QApplication.activePopupWidget() is None:
        at = widget.inputMethodQuery(Qt.InputMethodQuery.ImCursorRectangle)
        place = at.toRect().center() if isinstance(at, QRectF) else QRect(at or QRect()).center()
        reason = QContextMenuEvent.Reason.Keyboard
        event = QContextMenuEvent(reason, place, widget.mapToGlobal(place))
        QCoreApplication.sendEvent(widget, event)


def _blocked(chips: TagChips, steps: int) -> str | None:
    """Returns "" if the tag cannot be moved so far, None if it can."""
    return None if chips.can_move_by(steps) else ""


def _copy(text: str) -> None:
    QGuiApplication.clipboard().setText(text)
