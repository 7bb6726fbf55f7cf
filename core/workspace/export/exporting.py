"""Exports images with their captions in one of the formats."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event
from typing import Protocol

from core.errors import StoreError
from core.message import translatable
from core.workspace.export.datasets import ImageFolder, TextFiles
from core.workspace.export.formats import ExportFormat
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.ledger import Ledger
from core.workspace.export.output import Output
from core.workspace.export.pages import Html, Markdown
from core.workspace.export.parquet import Parquet
from core.workspace.export.sidecars import XmpFiles
from core.workspace.export.tables import Coco, Csv, JsonLines
from core.workspace.export.tars import WebDataset

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
) -> ExportReport:
    """Writes the images that have a caption, in the given order. Blocks until all is written.

    Files that are there already are replaced only if an earlier export wrote them, which the file
    at `ledger_path` knows; else nothing is written. Raises StoreError, and Cancelled once `stop` is
    set: a new folder or file is then as if it had never been begun.
    """
    kept = [item for item in items if item.caption or item.is_decorative]
    report = ExportReport(options.output, without_caption=len(items) - len(kept))
    writer: Writer = _WRITERS[options.format](options)
    folder = options.output if options.format.is_folder else options.output.parent
    ledger = Ledger(ledger_path)
    try:
        with Output(folder, ledger, stop, is_folder_ours=options.format.is_folder) as output:
            names = writer.names(kept)
            _refuse_twins(names)
            places = {item.name for item in kept if output.is_place_of(item.name, item.path)}
            output.check(names, places)
            writer.write(kept, output, report)
            output.finish()
            report.files = output.files
    finally:
        ledger.close()
    return report


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
