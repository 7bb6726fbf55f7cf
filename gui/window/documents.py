"""What the state means inside the picture, the conversation and the folder run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QCoreApplication

from core.engine import Capability, Loading
from core.workspace import CaptionMode
from gui.picture.model_view_switch import no_model_text, own_way_text
from gui.widgets.translated import translated
from gui.window.view_state import LoadedState, ViewState, WorkspaceState
from gui.workspace.side_tabs import CAPTION, CONVERSATION

if TYPE_CHECKING:
    from gui.window.main_window import MainWindow

translate = QCoreApplication.translate


def show_in_documents(window: MainWindow, before: ViewState | None, state: ViewState) -> None:
    """Shows a state in the documents; what is the same as `before` is left alone."""
    view = window.transcript_view
    view.show_wait(_wait_text(state))
    view.show_held(state.conversation.waiting, state.conversation.waiting_at)
    if before is None or state.underlines_doubt != before.underlines_doubt:
        view.set_shows_doubt(state.underlines_doubt)
    if before is None or state.workspace != before.workspace:
        window.drop_zone.picture_strip.set_wanted(not state.workspace.is_list_shown)
        window.workspace_page.show_state(state.workspace)
        _show_caption(window, state.workspace)
    if before is None or state.model.facts != before.model.facts:
        _show_model(window, state.model)
    reason = own_way_text() if state.model.facts else no_model_text()
    window.drop_zone.model_view_switch.set_preprocessing(state.model_input, reason)


def _show_caption(window: MainWindow, state: WorkspaceState) -> None:
    tabs = window.side_tabs
    tabs.bar.setVisible(state.is_open)
    tabs.show_tab(CAPTION if state.is_caption_shown else CONVERSATION)
    window.caption_panel.setEnabled(state.is_known)
    window.caption_panel.show_mode(CaptionMode.TAGS if state.has_tags else CaptionMode.TEXT)
    window.caption_panel.show_source(state.source, state.possible_sources)
    window.caption_panel.show_state(
        is_modified=state.is_modified,
        found=state.found,
        review=state.review,
        answer=state.answer,
        problem=state.problem,
    )


def _show_model(window: MainWindow, model: LoadedState) -> None:
    evidence = translated(model.why_not(Capability.EVIDENCE))
    if evidence != window.evidence_view.obstacle:
        window.evidence_view.set_obstacle(evidence)
    window.evidence_view.map_obstacle = translated(model.why_not(Capability.MAPS))
    window.batch_panel.set_doubt_obstacle(model.why_not(Capability.EVIDENCE, Capability.EARLIER))
    view, facts = window.transcript_view, model.facts
    vocabulary = facts.vocabulary if facts else None
    view.set_vocabulary(vocabulary)
    window.batch_panel.form.unknown_words.set_vocabulary(vocabulary)
    view.set_trace_obstacle(translated(model.why_not(Capability.TRACE)))
    view.show_only_drawings(facts is not None and facts.knows_only_drawings)


def _wait_text(state: ViewState) -> str:
    """Returns what a question waits for; "" for nothing but its first token."""
    if isinstance(state.model.state, Loading):
        return translate("Documents", "The model is loading. Your question waits for it.")
    if state.conversation.waiting:
        return translate("Documents", "Your question waits for a model.")
    return ""
