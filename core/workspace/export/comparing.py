"""What a file has for the images of a workspace, beside what these have already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from core.workspace.data import ImageRow, ReviewState
from core.workspace.export.reading import Matches


@dataclass(frozen=True)
class FoundCaption:
    """A caption in a file for an image of the workspace, and the one that the image has."""

    id: int
    path: Path
    own: str
    found: str


@dataclass(frozen=True)
class FoundReview:
    """A review in a file for an image of the workspace, and the one that the image has."""

    id: int
    path: Path
    own: ReviewState
    found: ReviewState


@dataclass(frozen=True)
class FoundInFile:
    """What a file has for the images of the workspace: captions for those that have none, captions
    that differ from their own, and how many are the same; and so for reviews. `unknown` are names
    without an image, `unclear` those that several images have."""

    new: tuple[FoundCaption, ...] = ()
    differing: tuple[FoundCaption, ...] = ()
    same: int = 0
    new_reviews: tuple[FoundReview, ...] = ()
    differing_reviews: tuple[FoundReview, ...] = ()
    same_reviews: int = 0
    unknown: tuple[str, ...] = ()
    unclear: tuple[str, ...] = ()


def compared(rows: Iterable[ImageRow], matches: Matches) -> FoundInFile:
    """Returns what was found for these images."""
    new: list[FoundCaption] = []
    differing: list[FoundCaption] = []
    new_reviews: list[FoundReview] = []
    differing_reviews: list[FoundReview] = []
    same = same_reviews = 0
    for row in rows:
        caption, review = matches.captions.get(row.path), matches.reviews.get(row.path)
        if caption is not None and caption == row.caption:
            same += 1
        elif caption is not None:
            found = FoundCaption(row.id, row.path, row.caption, caption)
            (differing if row.has_caption else new).append(found)
        if review is not None and review is row.review:
            same_reviews += 1
        elif review is not None:
            one = FoundReview(row.id, row.path, row.review, review)
            is_new = row.review is ReviewState.UNREVIEWED
            (new_reviews if is_new else differing_reviews).append(one)
    return FoundInFile(
        *(tuple(new), tuple(differing), same),
        *(tuple(new_reviews), tuple(differing_reviews), same_reviews),
        *(matches.unknown, matches.unclear),
    )
