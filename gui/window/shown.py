"""What the window shows for a state: title, status line, notice, and the prompt's offer."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace

from PySide6.QtCore import QCoreApplication

from core.batch import Phase
from core.engine import Absent, EngineFacts, Failed, Loading, Ready
from core.model_reference import short_name
from core.transcript import BUILT_IN
from gui.batch.run_progress import rate_text
from gui.conversation.prompt_offer import AskButton, Hint, ModelOffer, PromptOffer
from gui.widgets.measures import bytes_text
from gui.widgets.notice import Notice, NoticeAction, NoticeActionKind, StandsWhile
from gui.widgets.text_direction import in_own_order
from gui.widgets.translated import translated
from gui.window.view_state import Page, ViewState

translate = QCoreApplication.translate


def window_title(state: ViewState) -> str:
    """Returns the title: what keys are about, and how much of a folder run in view is done."""
    done = state.run.fraction if state.shows_run else None
    image = state.picture.name if state.picture.is_shown else ""
    name = image if state.is_conversation else state.run.name
    parts = ["" if done is None else f"{int(100 * done)}%", _left_to_right(name)]
    return " — ".join([*(part for part in parts if part), "Onlooker"])


def _left_to_right(name: str) -> str:
    """Returns a name, behind a mark if the window manager would turn the whole title round for it.

    A title runs in the direction of its first letter.
    """
    directions = (unicodedata.bidirectional(letter) for letter in name)
    first = next((one for one in directions if one in ("L", "R", "AL")), "L")
    return name if first == "L" else f"\u200e{name}"


@dataclass(frozen=True)
class Status:
    """What the status line shows. `fraction` is how far loading is, None if that is not known."""

    text: str
    fraction: float | None = None
    speed: str = ""
    run: str = ""
    """How far a folder run is that is folded away, or the offer of one."""
    left_edit: str = ""
    """How far an edit is that goes on in a folder that was left."""
    can_stop_left_edit: bool = False
    is_loading: bool = False


def status(state: ViewState) -> Status:
    """Returns what the status line shows of the model, of the conversation in view, of a folder run
    that is not in view, and of an edit in a folder that was left."""
    progress = state.left_edit.progress
    return replace(
        _model_status(state),
        run=_run_line(state),
        left_edit=_left_edit_line(state),
        can_stop_left_edit=bool(state.left_edit.folder) and (progress is None or progress.can_stop),
    )


def offered_run(state: ViewState) -> NoticeAction | None:
    """Returns the offer of a folder run that the status line makes, where a notice has no room."""
    actions = (notice.action for notice in standing_notices(state) if state.is_low)
    kind = NoticeActionKind.CAPTION_ALL
    return next((action for action in actions if action and action.kind is kind), None)


def _run_line(state: ViewState) -> str:
    run = state.run
    if state.shows_run:
        return ""
    if run.phase is Phase.UNDOING:
        return translate("StatusLine", "Undoing the run…")
    if run.fraction is None:
        offer = offered_run(state)
        return offer.text if offer else ""
    count = translate("StatusLine", "{done} of {total}")
    texts = {
        Phase.ENDING: translate("StatusLine", "Stopping at {count}"),
        Phase.PAUSED: translate("StatusLine", "Run paused at {count}"),
    }
    text = texts.get(run.phase, translate("StatusLine", "Captioning {count}"))
    text = text.format(count=count.format(done=f"{run.done:,}", total=f"{run.total:,}"))
    if run.turns > 1:
        of = translate("StatusLine", "Run {turn} of {turns}: {text}")
        text = of.format(turn=run.turn, turns=run.turns, text=text)
    has_rate = run.rate and run.phase is Phase.RUNNING
    return f"{text}  ·  {rate_text(run.rate)}" if has_rate else text


def _left_edit_line(state: ViewState) -> str:
    folder, progress = state.left_edit.folder, state.left_edit.progress
    if not folder:
        return ""
    if progress is None:
        text = translate("StatusLine", "Waiting to change images in “{folder}”")
        return text.format(folder=folder)
    text = translate("StatusLine", "{done} of {total} images checked in “{folder}”")
    if progress.is_writing:
        text = translate("StatusLine", "{done} of {total} images changed in “{folder}”")
    return text.format(done=f"{progress.done:,}", total=f"{progress.total:,}", folder=folder)


def _model_status(state: ViewState) -> Status:
    match state.model.state:
        case Loading(_, stage) as loading:
            fraction = loading.measured
            share = "" if fraction is None else f"  {fraction:.0%}"
            return Status(f"{translated(stage)}{share or '…'}", fraction, is_loading=True)
        case Ready(facts):
            speed = state.conversation.tokens_per_second
            rate = translate("StatusLine", "{rate} tokens/s").format(rate=f"{speed:.0f}")
            rate = in_own_order(rate)
            return Status(describe(facts), speed=rate if speed and state.shows_image else "")
        case Failed():
            return Status(translate("StatusLine", "The model could not be loaded"))
    if state.model.is_idle_unloaded and state.model.facts:
        text = translate("StatusLine", "{model}  ·  unloaded while idle")
        return Status(text.format(model=translated(short_name(state.model.facts.model))))
    return Status(translate("StatusLine", "No model loaded"))


def describe(facts: EngineFacts) -> str:
    """Returns model, device, precision and memory in one line."""
    if facts.longest_side:
        return f"{translated(short_name(facts.model))}  ·  {facts.device_name}"
    memory, precision = bytes_text(facts.memory_bytes), facts.dtype.value
    if facts.quantizes_cache:
        precision = translate("StatusLine", "{precision}, KV cache 8-bit").format(
            precision=precision
        )
    return "  ·  ".join((translated(short_name(facts.model)), facts.device_name, precision, memory))


def needs_model(state: ViewState) -> bool:
    """Whether a model has to be chosen before a question can be answered."""
    return isinstance(state.model.state, Absent | Failed) and not state.model.is_idle_unloaded


def prompt_offer(state: ViewState) -> PromptOffer:
    """Returns what the prompt box offers around the text that is written in it."""
    can_ask = state.picture.is_shown
    talk = state.conversation
    is_first = can_ask and not talk.exchanges and not talk.waiting
    suggestion = state.suggestion if is_first else ""
    return PromptOffer(
        placeholder=_placeholder(state, suggestion),
        suggestion=suggestion,
        can_ask=can_ask,
        button=_button(state),
        hint=_hint(state, suggestion),
        models=_models(state),
        last_model=translated(short_name(state.model.last)),
        vocabulary=state.model.facts.vocabulary if state.model.facts else None,
    )


def _placeholder(state: ViewState, suggestion: str) -> str:
    if not state.picture.is_shown:
        return translate("PromptBox", "Open an image to ask about it")
    if state.has_part and not suggestion:
        return translate("PromptBox", "Ask about the marked part")
    return suggestion or translate("PromptBox", "Ask about the image")


def _button(state: ViewState) -> AskButton:
    if state.conversation.is_answering:
        return AskButton.STOP
    return AskButton.TAKE_BACK if state.conversation.waiting else AskButton.ASK


def _hint(state: ViewState, suggestion: str) -> Hint:
    conversation = state.conversation
    is_asked = conversation.is_answering or bool(conversation.waiting)
    if isinstance(state.model.state, Loading):
        return Hint.WAITING if is_asked else Hint.LOADING
    if conversation.waiting:
        return Hint.CHOOSE_MODEL
    if conversation.is_answering:
        return Hint.STOPS
    if needs_model(state):
        return Hint.NO_MODEL if state.picture.is_shown else Hint.NOTHING
    return Hint.ENTER if suggestion else Hint.NOTHING


def _models(state: ViewState) -> tuple[ModelOffer, ...]:
    if not needs_model(state):
        return ()
    if state.model.last == BUILT_IN:
        return (ModelOffer.BUILT_IN, ModelOffer.CHOOSE)
    return (ModelOffer.LAST, ModelOffer.BUILT_IN, ModelOffer.CHOOSE)


def standing_notices(state: ViewState) -> tuple[Notice, ...]:
    """Returns the notices that are still true, newest first."""
    return tuple(notice for notice in state.notices if is_true(notice, state))


def shown_notices(state: ViewState, page: Page) -> tuple[Notice, ...]:
    """Returns the notices of a page, newest first; only the first one is visible there.

    Those for both stand beside the image, or in the folder run where that covers the image.
    """
    is_run = page is Page.FOLDER_RUN
    if not (state.shows_run if is_run else state.shows_image):
        return ()
    pages = (is_run, None) if is_run is state.covers_image else (is_run,)
    offer = offered_run(state)
    return tuple(
        notice
        for notice in standing_notices(state)
        if notice.on_run_page in pages and (offer is None or notice.action != offer)
    )


def visible_notice(state: ViewState) -> Notice | None:
    """Returns the newest notice that is still true where the focus is, or else elsewhere."""
    others = (page for page in Page if page is not state.page)
    for page in (state.page, *others):
        if notices := shown_notices(state, page):
            return notices[0]
    return None


def is_true(notice: Notice, state: ViewState) -> bool:
    """Whether what a notice says still holds."""
    return _HOLDS[notice.stands](state, notice.about)


def _is_failed(state: ViewState, error: object) -> bool:
    return isinstance(state.model.state, Failed) and state.model.state.error is error


def _is_loaded(state: ViewState, facts: object) -> bool:
    return isinstance(state.model.state, Ready) and state.model.facts == facts


def _is_unloaded(state: ViewState, _: object) -> bool:
    return state.model.is_idle_unloaded and isinstance(state.model.state, Absent)


_HOLDS: dict[StandsWhile, Callable[[ViewState, object], bool]] = {
    StandsWhile.ALWAYS: lambda _, __: True,
    StandsWhile.LOAD_FAILED: _is_failed,
    StandsWhile.MODEL_LOADED: _is_loaded,
    StandsWhile.UNLOADED_WHEN_IDLE: _is_unloaded,
    StandsWhile.IMAGES_TO_CAPTION: lambda state, roots: (
        state.picture.roots == roots and not state.shows_run and not state.run.is_running
    ),
    StandsWhile.RUN_UNFINISHED: lambda state, journal: (
        not state.run.is_open and state.run.journal == journal
    ),
    StandsWhile.NO_RUN_YET: lambda state, _: not state.run.is_known,
    StandsWhile.RUN_STEP: lambda state, number: state.run.steps == number,
    StandsWhile.RUN_CHOSEN: lambda state, _: not state.run.is_open,
    StandsWhile.LAST_EDIT: lambda state, number: state.run.edits == number,
    StandsWhile.RUN_USES_MODEL: lambda state, _: state.run.is_running,
    StandsWhile.CONVERSATION: lambda state, number: state.conversation.number == number,
    StandsWhile.ANSWERING: lambda state, _: state.conversation.is_answering,
    StandsWhile.NO_IMAGE: lambda state, _: not state.picture.is_shown,
    StandsWhile.ENGINES: lambda state, stage: state.engines is stage,
    StandsWhile.ASKS_ABOUT: lambda state, is_all: state.conversation.asks_about_all == is_all,
}
