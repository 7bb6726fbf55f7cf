"""Exports images with their captions in one of the formats."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Protocol

from core.errors import StoreError
from core.message import translatable
from core.workspace.export.datasets import ImageFolder, TextFiles, image_names
from core.workspace.export.formats import ExportFormat
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.ledger import Ledger
from core.workspace.export.output import Output
from core.workspace.export.pages import Html, Markdown
from core.workspace.export.parquet import Parquet
from core.workspace.export.reviews import REVIEWS, reviews_table
from core.workspace.export.sidecars import XmpFiles
from core.workspace.export.tables import Coco, Csv, JsonLines
from core.workspace.export.tars import WebDataset

_WITH_IMAGES = (ExportFormat.TEXT, ExportFormat.IMAGEFOLDER, ExportFormat.XMP)
_WRITERS = {
    ExportFormat.TEXT: TextFiles,
    ExportFormat.IMAGEFOLDER: ImageFolder,
    ExportFormat.WEBDATASET: WebDataset,
    ExportFormat.XMP: XmpFiles,
    ExportFormat.JSONL: JsonLines,
    ExportFormat.CSV: Csv,
    ExportFormat.PARQUET: Parquet,
    ExportFormat.COCO: Coco,
    ExportFormat.HTML: Html,
    ExportFormat.MARKDOWN: Markdown,
}


class Writer(Protocol):
    """What writes a format."""

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the files that it writes, from the output's folder."""
        ...

    def write(self, items: Sequence[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes them, and reports images that it cannot write."""
        ...


def export(
    items: Sequence[ExportItem],
    options: ExportOptions,
    ledger_path: Path | None = None,
    stop: Event | None = None,
    *,
    replaces: bool = False,
    on_progress: Callable[[float], None] = lambda _: None,
) -> ExportReport:
    """Writes the images that have a caption, and the reviews that they and others have, in the
    given order. Blocks until all is written.

    Files that are there already are replaced only if an earlier export wrote them, which the file
    at `ledger_path` knows; else nothing is written, and FilesInTheWay is raised, unless `replaces`.
    Raises StoreError, and Cancelled once `stop` is set: a new folder or file is then as if it had
    never been begun. `on_progress` gets the share that is written, in this thread.
    """
    ledger = Ledger(ledger_path)
    try:
        items = _without_copies(items, options, ledger)
        return _export(items, options, ledger, stop, replaces=replaces, on_progress=on_progress)
    finally:
        ledger.close()


def _export(
    items: Sequence[ExportItem],
    options: ExportOptions,
    ledger: Ledger,
    stop: Event | None,
    *,
    replaces: bool,
    on_progress: Callable[[float], None],
) -> ExportReport:
    kept, reviews = _parted(items, options.format)
    report = ExportReport(options.output, without_caption=len(items) - len(kept))
    writer: Writer = _WRITERS[options.format](options)
    folder = options.output if options.format.is_folder else options.output.parent
    names = [*writer.names(kept), *([REVIEWS] if reviews else [])]
    _refuse_twins(names)
    steps = _Steps(max(1, len(names), len(kept)), on_progress)
    is_folder = options.format.is_folder
    with Output(folder, ledger, stop, is_folder_ours=is_folder, on_step=steps.take) as output:
        places = _places(kept, options, output)
        if replaces:
            others = (name for name in names if name not in places)
            output.require_apart(others, (item.path for item in kept))
        else:
            output.check(names, places)
        writer.write(kept, output, report)
        if reviews:
            output.write_bytes(REVIEWS, reviews_table(reviews))
        output.finish()
        report.files = output.files
    report.images -= sum(not item.has_caption for item in kept)
    if options.format.has_reviews:
        report.reviews = sum(item.is_reviewed for item in reviews or kept)
    return report


def _without_copies(
    items: Sequence[ExportItem], options: ExportOptions, ledger: Ledger
) -> Sequence[ExportItem]:
    """Leaves out the copies that an earlier export to the same folder made, where that is inside
    the folder of the images: they would be exported once more, into a folder within."""
    if not options.format.is_folder:
        return items
    output = Path(os.path.realpath(options.output))
    inside = [Path(os.path.realpath(item.path)).is_relative_to(output) for item in items]
    if all(inside):  # The images of that folder itself.
        return items
    pairs = zip(items, inside, strict=True)
    return [item for item, is_in in pairs if not (is_in and ledger.knows(item.path))]


def _parted(
    items: Sequence[ExportItem], kind: ExportFormat
) -> tuple[list[ExportItem], list[ExportItem]]:
    """Returns what has a caption, or is in a table for its review alone, and what has a review that
    goes into a file of its own."""
    reviewed = [item for item in items if item.is_reviewed]
    alone = {item.path for item in reviewed if kind.has_images_without_caption}
    kept = [item for item in items if item.has_caption or item.path in alone]
    return kept, reviewed if kind.has_reviews_apart else []


def _places(items: Sequence[ExportItem], options: ExportOptions, output: Output) -> set[str]:
    """Returns the names of images that are where the export would bring them."""
    if options.format not in _WITH_IMAGES:
        return set()
    names = set(image_names(items, options))
    return {
        item.name
        for item in items
        if item.name in names and output.is_place_of(item.name, item.path)
    }


@dataclass
class _Steps:
    """Counts the files or images that were begun, whichever are more."""

    total: int
    on_progress: Callable[[float], None]
    done: int = 0

    def take(self) -> None:
        self.on_progress(min(1.0, self.done / self.total))
        self.done += 1


def _refuse_twins(names: Sequence[str]) -> None:
    """Raises StoreError if two images would have one file, as a.jpg and a.png have a.txt."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            text = translatable(
                "core",
                "Two images would share “{name}”. Use {pattern} for the names of caption files, or "
                "rename one of the images.",
            )
            raise StoreError(text.format(name=name, pattern="{name}"))
        seen.add(name.casefold())
