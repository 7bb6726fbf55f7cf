"""Esc ends the innermost thing that goes on or is open."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gui.window.shown import visible_notice

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow


def end_innermost(window: MainWindow) -> None:
    """Ends an answer, a question that waits, a word, the rectangle on the image, the reading of a
    folder, an edit of many captions, or a notice."""
    state, notice = window.state, visible_notice(window.state)
    if state.is_conversation and (state.conversation.is_answering or state.conversation.waiting):
        window.prompt_box.escape()
    elif state.is_conversation and window.evidence_view.has_chosen:
        window.evidence_view.leave()
    elif state.is_conversation and state.has_part:
        window.drop_zone.part_frame.remove()
    elif state.is_conversation and state.workspace.reading:
        window.workspace_pane.reading_line.stop_asked.emit()
    elif state.is_conversation and state.workspace.can_stop_editing:
        window.workspace_pane.editing_line.stop_asked.emit()
    elif notice is not None and notice is window.notice_bar.notice:
        window.notice_bar.dismiss()
    else:
        window.batch_panel.notice_bar.dismiss()
