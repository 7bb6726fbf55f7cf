"""Offers a folder run over images that are opened, and shows one that is folded away."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtCore import QEvent, QObject, Signal, Slot

from core.batch import KeptRun
from core.files import is_folder
from gui.widgets.notice import NoticeAction, NoticeActionKind, StandsWhile
from gui.window.main_window import MainWindow
from gui.window.shown import offered_run
from gui.window.view_state import ViewState

# In a lower window a notice would take the room of the conversation: the status line offers there.
_LEAST_HEIGHT = 480


class RunOffer(QObject):
    """What is opened is to be looked at; the offer stands for as long as these images are open.

    `taken(list[Path])`: a run is to be chosen over these files and folders.
    """

    taken = Signal(list)

    def __init__(self, window: MainWindow, parent: QObject | None = None):
        super().__init__(parent)
        self._window = window
        self._offered: list[Path] = []
        self._before: tuple[Path, ...] = ()
        self._is_for_run = False
        window.paths_opened.connect(self._on_paths_opened)
        window.states.changed.connect(self._on_window_changed)
        window.notice_action_chosen.connect(self._on_notice_action_chosen)
        window.status_line.run_asked.connect(self._on_run_asked)
        window.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        """Notes whether the window has room for a notice."""
        if watched is self._window and event.type() == QEvent.Type.Resize:
            self._window.states.update(is_low=self._window.height() < _LEAST_HEIGHT)
        return super().eventFilter(watched, event)

    def withdraw(self) -> None:
        """Offer nothing, as a run is chosen."""
        self._offered = []
        for notice in self._window.state.notices:
            if notice.action and notice.action.kind is NoticeActionKind.CAPTION_ALL:
                self._window.states.dismiss(notice)

    def offer_rest(self, kept: KeptRun, reason: str = "", step: int | None = None) -> None:
        """Offer what is left of a run, or of several in turn, until one is open; or of the one that
        is open, until something else than this `step` is done with it."""
        left, stands = kept.runs_left, StandsWhile.RUN_UNFINISHED
        about: Path | int = kept.journal
        if step is not None:
            stands, about = StandsWhile.RUN_STEP, step
        text, do = self.tr("{left} of {count} runs are still to do."), self.tr("Continue")
        if left == 1:
            text = self.tr("1 of {count} runs is still to do.")
        elif not left:
            text, do = self.tr("The folder run for “{name}” is unfinished."), self.tr("Resume")
        name = kept.roots[0].name if kept.roots else ""
        text = text.format(left=left, count=kept.options.turn + left, name=name)
        resume = NoticeAction(NoticeActionKind.RESUME_RUN, do, kept)
        self._window.show_notice(f"{reason} {text}".strip(), resume, stands=stands, about=about)

    def show_images(self, paths: list[Path]) -> None:
        """Open the images that a run is over, unless they are, and offer nothing."""
        known = self._window.state.picture.roots
        if not all(any(path.is_relative_to(one) for one in known) for path in paths):
            self._is_for_run = True
            self._window.paths_opened.emit(paths)
            self._is_for_run = False

    @Slot(list)
    def _on_paths_opened(self, paths: list[Path]) -> None:
        self._offered = []
        if not self._is_for_run and (len(paths) > 1 or any(map(is_folder, paths))):
            self._offered, self._before = paths, self._window.state.picture.roots

    @Slot(object)
    def _on_window_changed(self, state: ViewState) -> None:
        """Offer the run once the images are listed."""
        if self._offered and state.picture.count and state.picture.roots != self._before:
            offered, self._offered = self._offered, []
            if state.picture.count > 1:
                kind = NoticeActionKind.CAPTION_ALL
                self._window.show_notice(
                    self.tr("These images can be captioned in one run."),
                    NoticeAction(kind, self.tr("Caption all"), tuple(offered)),
                    stands=StandsWhile.IMAGES_TO_CAPTION,
                    about=state.picture.roots,
                    on_run_page=False,
                )

    @Slot()
    def _on_run_asked(self) -> None:
        if offer := offered_run(self._window.state):
            self._window.notice_action_chosen.emit(offer)
        else:
            self._window.show_batch_panel()

    @Slot(object)
    def _on_notice_action_chosen(self, action: NoticeAction) -> None:
        match action:
            case NoticeAction(NoticeActionKind.CAPTION_ALL, _, tuple() as paths):
                self.taken.emit(list(paths))
