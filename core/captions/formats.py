"""The file formats that captions are written in."""

from __future__ import annotations

from enum import StrEnum


class CaptionFormat(StrEnum):
    """A file format; its value is the file's suffix without the dot, as stored and as typed."""

    TXT = "txt"
    CAPTION = "caption"
    """A text file like `TXT`, under the suffix that some training tools look for."""
    XMP = "xmp"
    JSONL = "jsonl"
    CSV = "csv"


class TablePaths(StrEnum):
    """How the tables of a run name images."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    """From the table's folder."""


TEXT_FORMATS = (CaptionFormat.TXT, CaptionFormat.CAPTION)
"""One text file beside each image."""

TABLE_FORMATS = (CaptionFormat.JSONL, CaptionFormat.CSV)
"""One file for all captions of a run."""

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t"}
"""What may stand between the columns of a CSV file; spreadsheets expect the semicolon where the
decimal sign is a comma."""
