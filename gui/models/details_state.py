"""What the details of a model say and offer, computed without widgets."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication

from core.device.memory import PRECISIONS
from core.engine import Failed, Loading, ModelState, Ready
from core.errors import AppError, HubError, HubNeed, OutOfMemory
from core.hub import (
    DeviceMemory,
    DownloadOptions,
    Entry,
    JobKind,
    JobState,
    ModelJob,
    Progress,
    Where,
    helpful_precisions,
)
from core.model_reference import short_name
from core.transcript import BUILT_IN, Precision
from gui.models.model_list import in_bits, kind_text
from gui.widgets.job_progress import ShownProgress
from gui.widgets.translated import translated

translate = QCoreApplication.translate


class Action(Enum):
    """What a button of the details does; its caption is only shown."""

    LOAD = auto()
    UNLOAD = auto()
    GET = auto()
    PAUSE_DOWNLOAD = auto()
    STOP = auto()
    CANCEL_DOWNLOAD = auto()
    LOOK_UP = auto()
    # Remedies against a failure.
    ENTER_TOKEN = auto()
    OPEN_PAGE = auto()
    CHOOSE_DOWNLOADS = auto()
    ALLOW_NETWORK = auto()
    GET_MISSING_PART = auto()
    LOAD_LOWER = auto()


@dataclass(frozen=True)
class Offer:
    """A button: what it does, its caption, and whether it can be used now."""

    action: Action
    caption: str
    is_enabled: bool = True


@dataclass(frozen=True)
class Trouble:
    """Why something failed, "" if nothing did, and the button that helps, if there is one."""

    error: str = ""
    remedy: Offer | None = None


@dataclass(frozen=True)
class Allowed:
    """What may be done with a model's files now; `reason` says why moving and removing may not."""

    check: bool
    move: bool
    remove: bool
    forget: bool
    reason: str = ""


def _remedy(need: HubNeed | None) -> Offer | None:
    match need:
        case HubNeed.TOKEN:
            return Offer(Action.ENTER_TOKEN, translate("DetailsState", "Enter access token…"))
        case HubNeed.LICENCE:
            return Offer(Action.OPEN_PAGE, translate("DetailsState", "Open model page"))
        case HubNeed.SPACE:
            caption = translate("DetailsState", "Download to another folder…")
            return Offer(Action.CHOOSE_DOWNLOADS, caption)
        case HubNeed.ONLINE:
            return Offer(Action.ALLOW_NETWORK, translate("DetailsState", "Go online"))
        case _:
            return None


@dataclass(frozen=True)
class DetailsState:
    """An entry, the job on it, and what the details depend on besides.

    `memory` is that of the device, None while unknown. `model_state` is that of the model with the
    key `loaded_key`. `chosen` is the precision that the person chose for this entry.
    """

    entry: Entry
    job: ModelJob | None
    memory: DeviceMemory | None
    model_state: ModelState
    loaded_key: str
    options: DownloadOptions
    chosen: Precision | None

    @property
    def missing_id(self) -> str:
        """The hub id of the part without which a model that is here cannot be loaded, or ""."""
        local = self.entry.local
        return local.missing_id if local and local.problem else ""

    @property
    def is_loaded(self) -> bool:
        """Whether questions go to this model now."""
        return self.entry.key == self.loaded_key and isinstance(self.model_state, Ready)

    @property
    def is_loading(self) -> bool:
        """Whether this model is being loaded."""
        return self.entry.key == self.loaded_key and isinstance(self.model_state, Loading)

    @property
    def precision(self) -> Precision:
        """The chosen precision, else the one it is loaded in, else the highest that fits."""
        if self.chosen:
            return self.chosen
        if self.is_loaded:
            return self._loaded_precision
        if self.memory is None or not self.entry.needs:
            return PRECISIONS[0]
        best = self.memory.best_precision(self.entry.needs)
        return best or helpful_precisions(self.entry.needs)[-1]

    @property
    def _loaded_precision(self) -> Precision:
        state = self.model_state
        loaded = state.facts.dtype if isinstance(state, Ready) else PRECISIONS[0]
        return loaded if loaded in PRECISIONS else PRECISIONS[0]

    @property
    def lower_precision(self) -> Precision | None:
        """The one to load this model in after its memory did not suffice, if that would help."""
        failure = self.model_state.error if isinstance(self.model_state, Failed) else None
        if not isinstance(failure, OutOfMemory) or not failure.precision:
            return None
        return Precision(failure.precision)

    @property
    def is_in_added_folder(self) -> bool:
        """Whether the model is in a folder that the person added."""
        return self.entry.local is not None and self.entry.local.where is Where.FOLDER

    @property
    def can_be_forgotten(self) -> bool:
        """Whether it can leave the list and stay where it is."""
        return self.is_in_added_folder or self.entry.servers is not None

    def allowed(self) -> Allowed:
        """What may be done with the model's files now."""
        local = self.entry.local
        in_use = self.is_loaded or self.is_loading
        is_idle = not (self.job and self.job.is_under_way)
        is_free = is_idle and not in_use
        if self.entry.servers:
            return Allowed(False, False, False, forget=not in_use)
        if local is None:
            return Allowed(False, False, False, False)
        is_removable = local.where is Where.CACHE or local.is_ours
        reason = "" if is_removable else _not_ours()
        return Allowed(
            check=local.is_complete and is_idle,
            move=local.can_move and is_free,
            remove=is_removable and is_free,
            forget=is_free,
            reason=translate("DetailsState", "Unload the model first.") if in_use else reason,
        )

    def primary(self) -> Offer:
        """The button for what comes next."""
        job, local = self.job, self.entry.local
        is_online = not self.options.is_offline
        if job and job.is_under_way:
            if job.kind is JobKind.DOWNLOAD or job.state is JobState.WAITING:
                return Offer(Action.PAUSE_DOWNLOAD, translate("DetailsState", "Pause"))
            caption = translate("DetailsState", "Stop")
            return Offer(Action.STOP, caption, job.kind is not JobKind.REMOVE)
        if self.entry.servers:
            return self._server_offer()
        if local is None:
            again = translate("DetailsState", "Try again")
            caption = again if job else translate("DetailsState", "Download")
            return Offer(Action.GET, caption, is_online)
        if not local.is_complete:
            return Offer(Action.GET, translate("DetailsState", "Resume"), is_online)
        if self.is_loading:
            return Offer(Action.UNLOAD, translate("DetailsState", "Cancel loading"))
        if self.is_loaded and self.precision == self._loaded_precision:
            return Offer(Action.UNLOAD, translate("DetailsState", "Unload"))
        can_choose = bool(self.entry.needs) and not local.problem
        caption = _load_in(self.precision) if can_choose else translate("DetailsState", "Load")
        return Offer(Action.LOAD, caption, not local.problem)

    def _server_offer(self) -> Offer:
        if self.is_loading:
            return Offer(Action.UNLOAD, translate("DetailsState", "Cancel"))
        if self.is_loaded:
            return Offer(Action.UNLOAD, translate("DetailsState", "Stop using"))
        return Offer(Action.LOAD, translate("DetailsState", "Use"))

    def secondary(self) -> Offer | None:
        """The button for the other thing that can be done, if there is one."""
        job, local = self.job, self.entry.local
        if job and job.is_under_way:
            is_download = job.kind is JobKind.DOWNLOAD or job.state is JobState.WAITING
            is_own = is_download and not self.missing_id
            caption = translate("DetailsState", "Cancel")
            return Offer(Action.CANCEL_DOWNLOAD, caption) if is_own else None
        if self.entry.servers:
            return None
        if local is None:
            is_online = not self.options.is_offline
            caption = translate("DetailsState", "Look up")
            return None if self.entry.size else Offer(Action.LOOK_UP, caption, is_online)
        caption = translate("DetailsState", "Discard download")
        return None if local.is_complete else Offer(Action.CANCEL_DOWNLOAD, caption)

    def trouble(self) -> Trouble:
        """What failed last with this model."""
        entry, job = self.entry, self.job
        if job and job.is_under_way:
            return Trouble()
        if job and job.error:
            need = job.error.need if isinstance(job.error, HubError) else None
            return Trouble(translated(job.error), _remedy(need))
        if entry.local and entry.local.problem:
            part = short_name(self.missing_id)
            can_get = part and not self.options.is_offline
            caption = translate("DetailsState", "Download {part}").format(part=part)
            remedy = Offer(Action.GET_MISSING_PART, caption) if can_get else None
            return Trouble(translated(entry.local.problem), remedy)
        if isinstance(self.model_state, Failed) and entry.key == self.loaded_key:
            failure, lower = self.model_state.error, self.lower_precision
            remedy = None
            if lower and lower is not self.precision:
                remedy = Offer(Action.LOAD_LOWER, _load_in(lower))
            return Trouble(translated(failure) if isinstance(failure, AppError) else "", remedy)
        return Trouble()

    def hint(self) -> str:
        """A sentence that helps to choose, "" if there is nothing to say."""
        entry, memory = self.entry, self.memory
        if entry.servers:
            return translate("DetailsState", "Images and prompts are sent to this server.")
        if entry.key == BUILT_IN:
            return translate(
                "DetailsState", "This model knows only drawings. Download another one for photos."
            )
        if entry.needs and memory and memory.best_precision(entry.needs) is None:
            if memory.device.startswith("cuda"):
                return translate(
                    "DetailsState",
                    "Too large for the free memory. Close other programs, choose another model, "
                    "or let Settings > Model split it across graphics cards and memory.",
                )
            return translate(
                "DetailsState",
                "Too large for the free memory. Close other programs, or choose another model.",
            )
        if entry.local is None and entry.is_gated:
            return translate(
                "DetailsState",
                "Accept the licence on the model page, then enter your access token.",
            )
        is_idle = not (self.job and self.job.is_under_way)
        if entry.local is None and not entry.size and is_idle:
            return translate("DetailsState", "Look it up to see its size, licence and memory need.")
        return ""

    def progress(self) -> ShownProgress:
        """How far the job is, or a download that was paused, or loading."""
        job, local = self.job, self.entry.local
        progress: Progress | None = None
        if job and job.is_under_way:
            progress = job.progress
            stage = translated(progress.stage if progress else "") or kind_text(job.kind)
            if job.state is JobState.WAITING:
                stage = translate("DetailsState", "Waiting for another download")
        elif local and not local.is_complete:
            progress = Progress("", local.size, local.total)
            stopped = translate("DetailsState", "Stopped")
            stage = stopped if job else translate("DetailsState", "Paused")
        elif self.entry.key == self.loaded_key and isinstance(self.model_state, Loading):
            return ShownProgress(translated(self.model_state.stage), self.model_state.measured)
        else:
            return ShownProgress()
        fraction = progress.done / progress.total if progress and progress.total else 0.0
        return ShownProgress(stage, fraction, progress)


def _load_in(precision: Precision) -> str:
    return translate("DetailsState", "Load in {bits}").format(bits=in_bits(precision))


def _not_ours() -> str:
    return translate(
        "DetailsState", "Onlooker did not download this model. Move or delete its folder yourself."
    )
