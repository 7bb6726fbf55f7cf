"""Offers the conversation of an image that is gone where another one looks like it."""

from __future__ import annotations

from PySide6.QtCore import QObject, Slot

from gui.app.tasks import Begin
from gui.session.gone_images import GoneImages, Successor
from gui.widgets.notice import NoticeAction, NoticeActionKind, StandsWhile
from gui.window.main_window import MainWindow


class GoneWiring(QObject):
    """The offer stands as long as that image is shown, and nothing is asked of itself."""

    def __init__(
        self, window: MainWindow, gone: GoneImages, begin: Begin, parent: QObject | None = None
    ):
        super().__init__(parent)
        self._window, self._gone, self._begin = window, gone, begin
        gone.found.connect(self._on_found)
        gone.noticed.connect(window.show_notice)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)

    @Slot(object)
    def _on_found(self, successor: Successor) -> None:
        text = self.tr("This looks like “{name}”, which is gone. Take over its conversation?")
        take = NoticeAction(NoticeActionKind.TAKE_OVER, self.tr("Take over"), successor)
        self._window.show_notice(
            text.format(name=successor.old.path.name),
            take,
            stands=StandsWhile.CONVERSATION,
            about=self._window.state.conversation.number,
        )

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.TAKE_OVER, _, Successor() as successor):
                self._begin(self._gone.take_over(successor))
            case _:
                pass
