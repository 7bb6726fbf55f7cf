"""What a run asks about each image, and what it makes of the answers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from core.batch.asking_again import CheckedRequest
from core.captions import sidecar
from core.captions.alt_text import AltText, Archived
from core.captions.check import Check, named
from core.captions.formats import (
    SEPARATORS,
    TABLE_FORMATS,
    TEXT_FORMATS,
    CaptionFormat,
    TablePaths,
)
from core.captions.sidecar import Existing
from core.captions.variables import Notes, filled
from core.captions.wording import (
    joined,
    opening_end,
    tags_in,
    to_last_sentence,
    without_duplicates,
    without_opening,
)
from core.message import translatable
from core.picture import Picture
from core.transcript import Answer, Ending, Request, Sampling, Turn
from core.words import has_words


@dataclass(frozen=True)
class BatchOptions:
    """What a run asks and writes.

    `name` is the pattern for the names of text and XMP files, without the suffix. `beginning` is
    put in front of every answer, and the model continues it. `prefix` and `suffix` are put around
    the finished caption, and the model never sees them. `separator` stands between a caption and
    the one that it is added to. `replaces_edited` names images, by path or by file name, whose
    captions may be replaced although they were edited by hand. `tables` have rows that the captions
    are written into: paths of tables, of whose names others may stand in the folders below, or a
    name alone for those in the run's folders. `table_paths` and `csv_separator`
    say how the tables name images, and what stands between the columns of a CSV file. `note` is
    what `{folder_note}` in prompts stands for. A run that `is_again` captions images once more that
    a person has selected, as an edit of theirs. `then` are the models and presets that caption the
    same images in turn afterwards (`core.batch.series`), of which this is the run number `turn`.
    `model` is the reference of the model that the run was begun with, "" if that is not known: it
    goes on with that one, also on another day.

    The model is asked again until its first answer has at most `most_characters`, 0 for any number;
    answers to further prompts are then a long description beside it (`AltText`). Of `vocabulary`,
    if there is one, are all tags of the first answer. If the caption `has_keywords`, the last
    answer is a list of them, and its own paragraph.
    """

    prompts: tuple[str, ...]
    writes: tuple[CaptionFormat, ...] = (CaptionFormat.TXT,)
    existing: Existing = Existing.SKIP
    name: str = "{stem}"
    is_recursive: bool = False
    sampling: Sampling = field(default_factory=Sampling)
    beginning: str = ""
    strips_openings: bool = False
    ends_at_sentence: bool = False
    replaces_edited: tuple[str, ...] = ()
    prefix: str = ""
    suffix: str = ""
    separator: str = "\n"
    is_one_line: bool = False
    drops_duplicates: bool = False
    table_paths: TablePaths = TablePaths.ABSOLUTE
    csv_separator: str = ","
    note: str = ""
    image_notes: tuple[tuple[str, str], ...] = ()
    most_characters: int = 0
    vocabulary: tuple[str, ...] = ()
    has_keywords: bool = False
    tables: tuple[str, ...] = ()
    is_again: bool = False
    then: tuple[str, ...] = ()
    turn: int = 1
    model: str = ""

    def checked(self) -> BatchOptions:
        """Returns itself; raises ValueError with a sentence if no run can have these options."""
        if not self.prompts or not all(prompt.strip() for prompt in self.prompts):
            raise ValueError(
                translatable("core", "There is no prompt. Enter what to ask about each image.")
            )
        wrong = set(self.writes) - set(CaptionFormat)
        formats = ", ".join(CaptionFormat)
        if not self.written:
            text = translatable("core", "No caption format is chosen. Choose from {formats}.")
            raise ValueError(text.format(formats=formats))
        if wrong:
            text = translatable("core", "{wrong} cannot be written. Choose from {formats}.")
            raise ValueError(text.format(wrong=", ".join(sorted(wrong)), formats=formats))
        if self.csv_separator not in SEPARATORS.values():
            raise ValueError(
                translatable(
                    "core", "“{separator}” cannot separate columns. Choose from {separators}."
                ).format(separator=self.csv_separator, separators=", ".join(SEPARATORS))
            )
        for table in self.tables:
            if Path(table).suffix.lower() not in (".jsonl", ".csv"):
                raise ValueError(
                    translatable(
                        "core", "“{name}” is not a table of captions. Name a .jsonl or .csv file."
                    ).format(name=table)
                )
        for beside in self.formats_beside:
            sidecar.text_path(Path("picture.png"), f"{self.name}.{beside}")
        return self

    @property
    def written(self) -> tuple[str, ...]:
        """Returns the formats and the tables to write."""
        return (*self.writes, *self.tables)

    @property
    def text_formats(self) -> tuple[CaptionFormat, ...]:
        """Returns those formats to write that are a text file beside each image."""
        return tuple(one for one in TEXT_FORMATS if one in self.writes)

    @property
    def formats_beside(self) -> tuple[CaptionFormat, ...]:
        """Returns those formats to write that are a file beside each image."""
        is_xmp = CaptionFormat.XMP in self.writes
        return (*self.text_formats, CaptionFormat.XMP) if is_xmp else self.text_formats

    @property
    def table_formats(self) -> tuple[CaptionFormat, ...]:
        """Returns those formats to write that are one file for all captions."""
        return tuple(one for one in TABLE_FORMATS if one in self.writes)

    @property
    def adds_to_captions(self) -> bool:
        """Returns whether captions that are there stay, and get more text."""
        return self.existing in (Existing.APPEND, Existing.PREPEND)

    def filled_prompts(self, picture: Path, index: int, caption: str) -> list[str]:
        """Returns the prompts with their variables filled in. `picture` is the `index`-th of the
        run, from 1, and has had `caption` so far."""
        notes = Notes(self.note, self._notes.get(str(picture), ""), named(self.vocabulary))
        return [filled(prompt, picture, index, caption, notes) for prompt in self.prompts]

    @cached_property
    def _notes(self) -> dict[str, str]:
        return dict(self.image_notes)

    @property
    def check(self) -> Check:
        """Returns what the first answer must be."""
        return Check(self.most_characters, self.vocabulary)

    def request(self, picture: Picture, prompt: str, index: int = 1) -> Request:
        """Returns what the engine is asked about the image with one of its prompts; the answer to
        the first one, of `index` 0, may have to be checked."""
        turns = (Turn(prompt),)
        if index == 0 and self.check:
            return CheckedRequest(picture, turns, self.sampling, self.beginning, check=self.check)
        return Request(picture, turns, self.sampling, self.beginning)

    def has_words(self, text: str) -> bool:
        """Returns whether the model's `text` has words of its own, besides what it was given to
        begin with and besides an opening that is to be left out."""
        text = text.strip().removeprefix(self.beginning).strip()
        if self.strips_openings:
            text = text[opening_end(text) :]
        return has_words(text)

    def caption_of(self, answer: Answer) -> str:
        """Returns the caption that is made of the answer's text, which has words."""
        text = answer.text.strip()
        if self.beginning and not text.startswith(self.beginning):
            text = joined(self.beginning, text)
        if self.strips_openings:
            text = self._without_opening(text)
        if self.ends_at_sentence and answer.ending is Ending.LENGTH:
            text = to_last_sentence(text)
        return text

    def whole_caption(self, captions: Sequence[str]) -> str:
        """Returns the caption of an image, of what was made of its answers (`caption_of`)."""
        text = "\n".join(captions)
        if self.most_characters:
            first, *rest = captions
            alt = AltText.of(first)
            text = alt.caption if alt.is_decorative else AltText(first, "\n".join(rest)).caption
        elif self.has_keywords and len(captions) > 1:
            text = Archived("\n".join(captions[:-1]), tuple(tags_in(captions[-1]))).caption
        text = joined(joined(self.prefix, text), self.suffix)
        if self.drops_duplicates:
            text = without_duplicates(text)
        return " ".join(text.split()) if self.is_one_line else text

    def without_affixes(self, caption: str) -> str:
        """Returns the part of a whole caption that comes from the model."""
        if self.prefix.strip():
            caption = caption.removeprefix(self.prefix.strip()).lstrip()
        if self.suffix.strip():
            caption = caption.removesuffix(self.suffix.strip()).rstrip()
        return caption

    def _without_opening(self, text: str) -> str:
        """Leaves an opening out, behind the forced beginning too."""
        shortened = without_opening(text)
        if shortened == text and self.beginning and text.startswith(self.beginning):
            own = text.removeprefix(self.beginning)
            return joined(self.beginning, without_opening(own.lstrip()))
        return shortened

    def recipe(self, model: str) -> str:
        """Returns a digest of all that a caption depends on besides the image: two captions with
        the same recipe were made in the same way. `model` is the model's fingerprint or name."""
        if model not in self._recipes:
            self._recipes[model] = self._recipe(model)
        return self._recipes[model]

    @cached_property
    def _recipes(self) -> dict[str, str]:
        """Those found so far, by model: one with notes about 100,000 images takes long to make."""
        return {}

    def _recipe(self, model: str) -> str:
        sampling = asdict(self.sampling)
        if not self.sampling.banned_words:
            del sampling["banned_words"]
        if self.sampling.temperature == 0:
            for unused in ("seed", "top_k", "top_p"):
                del sampling[unused]
        made_by = [self.prompts, sampling, self.beginning, model]
        made_by += [self.strips_openings, self.ends_at_sentence]
        # Left out where they change nothing: captions of version 0.1 were made without them.
        added = (self.prefix, self.suffix, self.is_one_line, self.drops_duplicates)
        made_by += added if any(added) else ()
        later = [self.note, self.most_characters, self.vocabulary, self.has_keywords]
        later += [self.image_notes] if self.image_notes else []
        return _digest([*made_by, *later] if any(later) else made_by)


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:24]
