"""What the window shows outside of its documents, as one frozen value.

The sessions are the truth; the wiring in `gui.app` reads them into these parts whenever they
change. Title, status line, notices, commands and the prompt's offer are functions of this value:
see `shown` and `availability`. Nothing in it refers to a widget.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from core.batch import Phase
from core.engine import Absent, Capability, EngineFacts, ModelState
from core.picture import ImagePreprocessing, Sending
from core.transcript import BUILT_IN, Variants
from core.workspace import (
    CaptionSource,
    EditProgress,
    PossibleSources,
    ReviewState,
    ScanProgress,
    SortKey,
    StatisticsKind,
)
from gui.batch.run_controls import RunAction
from gui.engines.state import Stage
from gui.widgets.notice import Notice
from gui.widgets.translated import translated


class Page(Enum):
    """What keys and menus are about: the part of the window that had the focus last."""

    CONVERSATION = auto()
    FOLDER_RUN = auto()


@dataclass(frozen=True)
class PictureState:
    """The picture that is open. `path` is None for one without a file, such as a pasted one.

    `error` says why the last one could not be opened; then none is shown. `roots` are the files and
    folders opened together, `count` is how many pictures of them are listed, and `index` the place
    of this one among them, -1 where it is not listed.
    """

    name: str = ""
    path: Path | None = None
    error: str = ""
    is_shown: bool = False
    roots: tuple[Path, ...] = ()
    count: int = 0
    index: int = -1


@dataclass(frozen=True)
class LoadedState:
    """The model. `facts` are those of the one that is loaded, or that is unloaded while idle.

    `last` is the model that the program starts with.
    """

    state: ModelState = field(default_factory=Absent)
    facts: EngineFacts | None = None
    is_idle_unloaded: bool = False
    last: str = BUILT_IN

    @property
    def most_pictures(self) -> int:
        """How many pictures a question may be about."""
        return self.facts.most_pictures if self.facts else 1

    @property
    def preprocessing(self) -> ImagePreprocessing | None:
        """How the model takes pictures in, where that can be shown."""
        return self.facts.preprocessing if self.facts else None

    def why_not(self, *capabilities: Capability) -> str:
        """Returns why the model lacks one of these; "" if it has them all, or there is no model."""
        return translated(self.facts.why_not(*capabilities) or "") if self.facts else ""


@dataclass(frozen=True)
class ConversationState:
    """The conversation about the picture that is shown; `number` tells it from others.

    `exchanges` counts its questions, with the one under way, and `answers` those with an answer.
    `versions` are the indices of those with several answers or an edited question, and which is
    shown.
    `waiting` is a question that waits for a model to be loaded, "" for none, and `waiting_at` the
    exchange in whose place it is to be asked, -1 for the end. `undo` and `redo` say what these
    would do, as menu entries, "" for nothing; `undo_at` and `redo_at` when that was changed, by the
    monotonic clock. `tokens_per_second` is the speed of its last answer if the model that is loaded
    gave it. `sent` is how the image was sent to a server for the last answer from one.
    """

    number: int = 0
    exchanges: int = 0
    answers: int = 0
    is_answering: bool = False
    versions: tuple[tuple[int, Variants], ...] = ()
    waiting: str = ""
    waiting_at: int = -1
    undo: str = ""
    redo: str = ""
    undo_at: float = 0.0
    redo_at: float = 0.0
    tokens_per_second: float = 0.0
    sent: Sending | None = None
    asks_about_all: bool = False


@dataclass(frozen=True)
class RowState:
    """The current row of a folder run. `is_busy` while its caption is being generated."""

    number: int
    has_caption: bool = False
    can_edit: bool = False
    is_busy: bool = False


@dataclass(frozen=True)
class RunState:
    """The folder run. `fraction` is the share that is done, None if none is under way or paused;
    `done` of `total` images are, at a `rate` per second, 0 if that is unknown. It is the run number
    `turn` of several `turns` over the same images.

    `offered` is what can be done with it. `is_known` says whether any run was ever begun; `journal`
    is that of an unfinished one that is not open. `steps` counts what was done with the run as a
    whole, and `edits` the edits of its captions too.
    `row` is the current row. `is_captioning_again` while one caption is generated once more.
    """

    phase: Phase = Phase.CHOOSING
    name: str = ""
    roots: tuple[Path, ...] = ()
    fraction: float | None = None
    done: int = 0
    total: int = 0
    rate: float = 0.0
    turn: int = 1
    turns: int = 1
    is_open: bool = False
    is_known: bool = False
    journal: Path | None = None
    offered: frozenset[RunAction] = frozenset()
    can_edit: bool = False
    can_find_doubt: bool = False
    is_finding_doubt: bool = False
    can_undo_edit: bool = False
    can_redo_edit: bool = False
    steps: int = 0
    edits: int = 0
    is_trying: bool = False
    row: RowState | None = None
    is_captioning_again: bool = False
    shows_doubt: bool = False
    is_sorted_by_doubt: bool = False

    @property
    def is_paused(self) -> bool:
        """Whether it can be resumed."""
        return self.phase is Phase.PAUSED

    @property
    def is_running(self) -> bool:
        """Whether captions are being written or undone."""
        return self.phase in (Phase.RUNNING, Phase.ENDING, Phase.UNDOING)


@dataclass(frozen=True)
class WorkspaceState:
    """The images that were opened together, as the list on the left shows them. A single image that
    was opened has none.

    `listed` of `total` images are left by the filter, and `selected` of them are selected; `lost`
    is how many were before several were lost, as by a misclick, 0 if none were, and `is_lost_last`
    says that no caption was edited since. The list is not shown where it is folded away, or where
    the window has no room for it. `has_focus` says whether the list has the focus, so that single
    keys are commands.

    `statistics` are in view below the list, unless they are folded away; captions are lists of tags
    if it `has_tags`, and stand in this `source`, or could in the `possible_sources`. `query_fault`
    is the place in the query that `query_error` is about.

    `reading` says how far the reading of the folder is while it is opened, and `is_cut` that it was
    stopped; `editing` says how far an edit of many captions is.

    The image in view is one of them if `is_known`; what it was found to be in a `review`, and the
    `problem` of a caption that cannot be read. Its caption `is_modified` while something typed is
    not written yet; `found` is what another program wrote meanwhile, and `answer` what a model
    wrote before a person changed it. `undo` and `redo` are the names of the edits that these are
    about, and `last_edit` is that of the edit of many captions that can be repeated.
    """

    is_open: bool = False
    has_list: bool = False
    name: str = ""
    listed: int = 0
    total: int = 0
    selected: int = 0
    lost: int = 0
    is_lost_last: bool = False
    is_folded: bool = False
    is_grid: bool = True
    side: int = 96
    has_room: bool = True
    has_focus: bool = False
    query: str = ""
    query_error: str = ""
    query_fault: tuple[int, int] = (0, 0)
    has_tags: bool = False
    source: CaptionSource = field(default_factory=CaptionSource)
    possible_sources: PossibleSources = field(default_factory=PossibleSources)
    statistics: StatisticsKind = StatisticsKind.TAGS
    folds_statistics: bool = False
    sort: SortKey = SortKey.NAME
    unreviewed: int = 0
    reading: ScanProgress | None = None
    editing: EditProgress | None = None
    is_cut: bool = False
    shows_caption: bool = False
    is_known: bool = False
    review: ReviewState = ReviewState.UNREVIEWED
    problem: str = ""
    is_modified: bool = False
    found: str | None = None
    answer: str | None = None
    undo: str = ""
    redo: str = ""
    last_edit: str = ""

    @property
    def is_caption_shown(self) -> bool:
        """Whether the caption of the image is in view, rather than the conversation."""
        return self.is_open and self.shows_caption

    @property
    def is_caption_meant(self) -> bool:
        """Whether Undo and Redo are about captions and reviews, rather than the conversation."""
        return self.is_open and (self.shows_caption or self.has_focus)

    @property
    def is_selection_meant(self) -> bool:
        """Whether Undo is about the selection of images, which was lost last."""
        return self.has_list and self.has_focus and self.is_lost_last and self.lost > 0

    @property
    def can_stop_editing(self) -> bool:
        """Whether captions are being edited, and that can be stopped."""
        return self.editing is not None and self.editing.can_stop

    @property
    def is_list_shown(self) -> bool:
        """Whether the list of images is in view."""
        return self.has_list and self.has_room and not self.is_folded


@dataclass(frozen=True)
class LeftEditState:
    """How far an edit is that goes on in a folder that was left, None before it has begun; the name
    of the `folder` is empty for none."""

    folder: str = ""
    progress: EditProgress | None = None


@dataclass(frozen=True)
class FocusState:
    """The text that has the focus: what the Edit menu can do with it.

    With `undo_waits` and `redo_waits`, these are about the page first, where the last change was.
    If it `is_in_caption`, Esc leads from there to the images before it closes a notice. It is in
    the exchange at this index of the conversation, -1 for none.
    """

    takes_text: bool = False
    can_undo: bool = False
    can_redo: bool = False
    has_selection: bool = False
    has_text: bool = False
    undo_waits: bool = False
    redo_waits: bool = False
    is_in_caption: bool = False
    exchange: int = -1

    @property
    def undoes(self) -> bool:
        """Whether Undo is about this text: something was changed in it, and nothing later."""
        return (self.can_undo or self.can_redo) and not self.undo_waits

    @property
    def redoes(self) -> bool:
        """Whether Redo is about this text."""
        return (self.can_undo or self.can_redo) and not self.redo_waits


@dataclass(frozen=True)
class ViewState:
    """Everything that the window shows outside of its documents. `notices` has the newest first.

    The folder run is in view if it `shows_run`; it stands above the image, or in its place where it
    `covers_image`. A window that `is_low` has no room for the offer of one in a notice. `has_part`
    says that a part of the image is marked, which questions are then about. `engines` is where the
    person is on the way to an engine for the graphics card. What a person wrote is not all in the
    caption files if it `has_unsaved`. `presets` are the names of those with
    keys.
    """

    page: Page = Page.CONVERSATION
    picture: PictureState = PictureState()
    model: LoadedState = LoadedState()
    conversation: ConversationState = ConversationState()
    run: RunState = RunState()
    focus: FocusState = FocusState()
    notices: tuple[Notice, ...] = ()
    engines: Stage = Stage.LOOKING
    has_chosen_word: bool = False
    has_part: bool = False
    underlines_doubt: bool = True
    theme: str = "system"
    suggestion: str = ""
    presets: tuple[str, ...] = ()
    workspace: WorkspaceState = WorkspaceState()
    left_edit: LeftEditState = LeftEditState()
    shows_run: bool = False
    covers_image: bool = False
    is_low: bool = False
    has_unsaved: bool = False

    @property
    def exchange_with_versions(self) -> tuple[int, Variants] | None:
        """The exchange whose other answers or questions are meant: that with the focus, or else the
        last one of which there are several."""
        several = self.conversation.versions
        focused = (each for each in several if each[0] == self.focus.exchange)
        return next(focused, several[-1] if several else None)

    @property
    def model_input(self) -> ImagePreprocessing | Sending | None:
        """What becomes of the picture before the model gets it, where that can be shown. A server
        may have been sent a smaller one than usual, after it refused that."""
        if self.model.facts and self.model.facts.sending:
            return self.conversation.sent or self.model.facts.sending
        return self.model.preprocessing

    @property
    def is_conversation(self) -> bool:
        """Whether keys and menus are about the images and their conversations, not about a run."""
        return self.page is Page.CONVERSATION

    @property
    def shows_image(self) -> bool:
        """Whether the picture and its conversation are in view."""
        return not self.covers_image
