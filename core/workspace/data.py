"""What a workspace says about its images, and about what was done to their captions: data."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import NamedTuple

from core.captions.formats import CaptionFormat
from core.files import is_folder
from core.message import Message

GiveWay = Callable[[], object]
"""Called every few milliseconds by work that nobody waits for: it may wait, and what it raises ends
the work."""


class ReviewState(StrEnum):
    """What a person thinks of an image's caption; stored."""

    UNREVIEWED = "unreviewed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    NEEDS_WORK = "needs-work"


class Draft(NamedTuple):
    """A caption that is not written yet, and the one that was `seen` when it was begun; None if
    that is not known."""

    text: str
    seen: str | None = None


class SortKey(StrEnum):
    """What images are sorted by; stored."""

    NAME = "name"
    """Folder by folder, in natural order: 2 before 10."""
    DATE = "date"
    """When the image's file was changed last."""
    SIZE = "size"
    """The number of pixels; files whose size is not read yet come first."""
    LENGTH = "length"
    """The number of characters in the caption."""
    DOUBT = "doubt"
    RANDOM = "random"


@dataclass(frozen=True)
class Sort:
    """An order of images. `seed` chooses one of the random ones."""

    key: SortKey = SortKey.NAME
    is_descending: bool = False
    seed: int = 0


class CaptionMode(StrEnum):
    """What the captions of a folder are; stored. Commas in a text separate no tags."""

    TEXT = "text"
    TAGS = "tags"


@dataclass(frozen=True)
class CaptionSource:
    """Where captions are: in files of a `format` beside the images, whose names without the suffix
    have a `pattern`, or in tables called `table`, in an image's folder or one above it."""

    format: CaptionFormat = CaptionFormat.TXT
    pattern: str = "{stem}"
    table: str = ""

    @classmethod
    def of_table(cls, name: str) -> CaptionSource:
        """Returns the tables with this name."""
        is_csv = name.lower().endswith(".csv")
        return cls(CaptionFormat.CSV if is_csv else CaptionFormat.JSONL, table=name)

    def tables_in(self, roots: Iterable[Path]) -> tuple[str, ...]:
        """Returns the tables in these folders, or those of these files, whether they exist or not;
        none if captions are beside the images."""
        if not self.table:
            return ()
        folders = (root if is_folder(root) else root.parent for root in roots)
        return tuple(dict.fromkeys(str(folder / self.table) for folder in folders))


@dataclass(frozen=True)
class WorkspaceOptions:
    """Which images a workspace has, and where their captions are; see `CaptionSource`."""

    is_recursive: bool = True
    mode: CaptionMode = CaptionMode.TEXT
    format: CaptionFormat = CaptionFormat.TXT
    pattern: str = "{stem}"
    table: str = ""
    takes_kept_format: bool = False
    """Whether what a person has chosen for these folders counts instead, or a table where captions
    are nowhere else."""

    def reading(self, source: CaptionFormat | str) -> WorkspaceOptions:
        """Returns the options for captions in files of a format, or in tables with this name."""
        if isinstance(source, CaptionFormat):
            return replace(self, format=source)
        table = CaptionSource.of_table(source)
        return replace(self, format=table.format, table=table.table)

    @property
    def source(self) -> CaptionSource:
        """Where the captions are."""
        return CaptionSource(self.format, self.pattern, self.table)

    @property
    def are_keywords(self) -> bool:
        """Whether the captions are the keywords of XMP files, and not their descriptions."""
        return self.format is CaptionFormat.XMP and self.mode is CaptionMode.TAGS


@dataclass(frozen=True, slots=True)
class ImageRow:
    """An image as lists show it."""

    id: int
    """Stable as long as the index is: also after a restart, but not after it was rebuilt."""
    path: Path
    caption: str
    """Empty without one, also while the caption file is unread."""
    has_caption: bool
    review: ReviewState
    is_edited: bool
    """Whether a person changed the caption in Onlooker after a model wrote it."""
    doubt: float | None
    """From 0 to 1; None if unknown."""
    width: int
    height: int
    """Both 0 as long as the file is unread, or if it is damaged."""
    bytes: int
    modified: float
    problem: str
    """Why the caption file or the image cannot be read, a `Message`; empty for none."""
    fingerprint: str = ""
    """What the file's content is recognised by; empty as long as unknown."""


class ScanStage(StrEnum):
    """What a scan does just now."""

    FOLDERS = "folders"
    CAPTIONS = "captions"
    SIZES = "sizes"
    FINGERPRINTS = "fingerprints"
    SIMILARITY = "similarity"
    """Images are decoded, so that those that look nearly the same are found. On demand."""


@dataclass(frozen=True)
class ScanProgress:
    """How far a scan is: `done` of `total` images. While folders are searched, `total` is 0 and
    `done` counts the images found. `has_changed` says whether rows were added, changed or removed
    since the last report."""

    stage: ScanStage
    done: int
    total: int
    has_changed: bool = True


@dataclass(frozen=True)
class Counts:
    """How many images of a workspace there are, and of each kind. `unread` captions are not read
    yet, so that they are missing in whatever a query finds."""

    images: int = 0
    with_caption: int = 0
    unread: int = 0
    failed: int = 0
    edited: int = 0
    reviews: Mapping[ReviewState, int] = field(default_factory=dict[ReviewState, int])

    @property
    def unreviewed(self) -> int:
        """How many images are left to be reviewed."""
        return self.reviews.get(ReviewState.UNREVIEWED, 0)


@dataclass(frozen=True)
class Failure:
    """An image whose caption could not be written, and why."""

    path: Path
    reason: Message


@dataclass(frozen=True)
class Conflict:
    """An image whose caption file another program has changed since it was read. It was left as it
    is; `ours` is what it would hold instead, and `found` what it holds."""

    id: int
    path: Path
    ours: str
    found: str


@dataclass(frozen=True)
class EditProgress:
    """How far an edit called `name` is: `done` of `total` captions, 0 as long as that is unknown.
    It `is_writing` once the first one may be another. Until it is, nothing has changed. It
    `can_stop` between two captions."""

    name: Message
    done: int = 0
    total: int = 0
    is_writing: bool = False
    can_stop: bool = True


@dataclass(frozen=True)
class EditReport:
    """What became of an edit, an undo or a redo: its name, the ids of the images that changed, and
    those that did not. `left` are how many images it did not come to, as it was stopped. `note`
    says what else a person should know."""

    name: Message
    changed: tuple[int, ...] = ()
    failures: tuple[Failure, ...] = ()
    conflicts: tuple[Conflict, ...] = ()
    note: Message | None = None
    left: int = 0


class StatisticsKind(StrEnum):
    """Which statistics are in view; stored."""

    TAGS = "tags"
    WORDS = "words"
    SIZES = "sizes"
    LENGTHS = "lengths"


@dataclass(frozen=True)
class Frequency:
    """A value, such as a tag or a word, and how many images have it. `value` is as in a query."""

    value: str
    count: int
    text: str = ""
    """How it is read where a query has it in another way, "" for the same."""

    @property
    def shown(self) -> str:
        """The value as it is read."""
        return self.text or self.value


@dataclass(frozen=True)
class Bar:
    """A bar of a histogram: how many captions have from `first` to `last` characters."""

    first: int
    last: int
    count: int


@dataclass(frozen=True)
class Statistics:
    """What images have in common, the most frequent first. `tags` is empty where captions are text;
    `unread` captions are not counted."""

    images: int = 0
    tags: tuple[Frequency, ...] = ()
    words: tuple[Frequency, ...] = ()
    sizes: tuple[Frequency, ...] = ()
    lengths: tuple[Bar, ...] = ()
    unread: int = 0
