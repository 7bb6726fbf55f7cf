"""Folders of images with captions: text files beside them, or one metadata.jsonl."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from core.captions import sidecar
from core.captions.sidecar import filled_name
from core.errors import StoreError
from core.files import DiskFull
from core.workspace.data import Failure
from core.workspace.export.formats import ImageFiles
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.output import Output
from core.workspace.export.reviews import reviews_record
from core.workspace.export.tables import as_unicode, json_text
from core.workspace.messages import as_message

METADATA = "metadata.jsonl"


class TextFiles:
    """A text file for each image, under the image's name."""

    def __init__(self, options: ExportOptions):
        self._options = options

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the files to write."""
        return [*image_names(items, self._options), *map(self._name, items)]

    def write(self, items: Iterable[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes them."""
        for item in items:
            if add_image(item, self._options, output, report):
                text = " ".join(item.caption.split()) if self._options.is_one_line else item.caption
                output.write_bytes(self._name(item), sidecar.encoded(text))
                report.images += 1

    def _name(self, item: ExportItem) -> str:
        name = PurePosixPath(item.name)
        caption = filled_name(self._options.pattern, name.name)
        return str(name.with_name(f"{caption}.{self._options.suffix}"))


class ImageFolder:
    """Images and metadata.jsonl with `file_name` and the caption. Images whose names are no text
    are copied under names that are, since the file has to name them."""

    def __init__(self, options: ExportOptions):
        self._options = options

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the files to write."""
        return [*image_names(map(_with_text_name, items), self._options), METADATA]

    def write(self, items: Iterable[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes them."""
        lines: list[bytes] = []
        for item in map(_with_text_name, items):
            if add_image(item, self._options, output, report):
                values = {"file_name": item.name, self._options.column: item.caption}
                values |= reviews_record(item)
                lines.append(f"{json_text(values)}\n".encode())
        output.write_bytes(METADATA, b"".join(lines))
        report.images += len(lines)


def _with_text_name(item: ExportItem) -> ExportItem:
    # No backslash: readers take it for a slash.
    return replace(item, name=as_unicode(item.name, escape="%u"))


def image_names(items: Iterable[ExportItem], options: ExportOptions) -> list[str]:
    """Returns the names of the image files that go to the output."""
    return [] if options.images is ImageFiles.NONE else [item.name for item in items]


def add_image(
    item: ExportItem, options: ExportOptions, output: Output, report: ExportReport
) -> bool:
    """Brings the image to the output, if it is to be there; returns whether its caption may be."""
    if options.images is ImageFiles.NONE or output.is_place_of(item.name, item.path):
        return True
    try:
        output.add_image(item.name, item.path, options.images)
    except DiskFull:
        raise
    except StoreError as error:
        report.failures.append(Failure(item.path, as_message(error.message)))
        return False
    return True
