"""One file with all captions: JSON lines, CSV and COCO's JSON."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any, BinaryIO

from core.captions.cells import cell
from core.files import read_regular, reason
from core.message import translatable
from core.workspace.data import Failure
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.output import Output

# A byte of a file's name that is no text, as Python has it, or half a character.
_SURROGATE = re.compile("[\ud800-\udfff]")
_COLUMNS = (
    *("file_name", "caption", "width", "height", "alt_text", "long_description"),
    *("is_decorative", "keywords", "review", "fingerprint"),
)


class OneFile:
    """What formats have in common whose output is one file without the images' files."""

    def __init__(self, options: ExportOptions):
        self.options = options

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the file to write."""
        return [self.options.output.name]

    def write(self, items: Sequence[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes it."""
        output.write(self.options.output.name, lambda file: self.fill(items, file, output, report))

    def fill(
        self, items: Sequence[ExportItem], file: BinaryIO, output: Output, report: ExportReport
    ) -> None:
        """Writes the content."""
        file.write(self.content(items).encode("utf-8", "backslashreplace"))
        report.images += len(items)

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the content of formats that are text."""
        raise NotImplementedError


class JsonLines(OneFile):
    """An object for each image."""

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the lines."""
        return "".join(f"{json_text(item.record())}\n" for item in items)


class Csv(OneFile):
    """A row for each image. Spreadsheets recognise UTF-8 by its byte order mark."""

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the rows, with a head."""
        records = [item.record() for item in items]
        columns = used_columns(records)
        text = io.StringIO(newline="")
        writer = csv.writer(text, delimiter=self.options.csv_separator)
        writer.writerow(columns)
        for record in records:
            record["keywords"] = ", ".join(record.get("keywords", ()))
            writer.writerow([cell(record.get(column)) for column in columns])
        return f"\ufeff{text.getvalue()}"


class Coco(OneFile):
    """COCO's format for captions: `images` and `annotations`."""

    def content(self, items: Sequence[ExportItem]) -> str:
        """Returns the object."""
        content = {
            "info": {"description": self.options.title or "Captions", "contributor": "Onlooker"},
            "licenses": list[Any](),
            "images": [
                {
                    "id": number,
                    "file_name": item.name,
                    "width": item.width,
                    "height": item.height,
                }
                for number, item in enumerate(items, 1)
            ],
            "annotations": [
                {"id": number, "image_id": number, "caption": item.caption}
                for number, item in enumerate(items, 1)
            ],
        }
        return f"{json_text(content)}\n"


def read_image(item: ExportItem, report: ExportReport) -> bytes | None:
    """Returns an image's file; None if it cannot be read, which is reported."""
    try:
        return read_regular(item.path)
    except OSError as error:
        text = translatable("core", "“{name}” cannot be read ({reason}).")
        message = text.format(name=item.path.name, reason=reason(error))
        report.failures.append(Failure(item.path, message))
        return None


def used_columns(records: Iterable[dict[str, Any]]) -> list[str]:
    """Returns those columns that some record has, in their order."""
    used = {"file_name", "caption"}.union(*records)
    return [column for column in _COLUMNS if column in used]


def json_text(value: Any) -> str:
    """Returns JSON. The bytes of a file's name that are no text stand in it as in other tables: by
    JSON's own escapes only Python reads them, and other readers refuse the whole file."""
    text = json.dumps(value, ensure_ascii=False)
    return as_unicode(text, escape="\\\\u")


def as_unicode(text: str, *, escape: str = "\\u") -> str:
    """Returns a text with what is no Unicode escaped, as `backslashreplace` does."""
    return _SURROGATE.sub(lambda found: f"{escape}{ord(found[0]):x}", text)
