"""Captions handed over in the formats that other programs read, and read back from them.

- `items` is what is exported: an image with its texts; `gathering` reads it from folders.
- `formats` names the formats, `exporting` writes them: `datasets` (folders of images with their
  captions), `tables`, `parquet`, `tars` (WebDataset), `pages` (HTML, Markdown), `sidecars` (XMP).
- `reviews` go along with the captions: in columns, or in a file of their own.
- `output` writes files in one step, and none over one that is not ours; `ledger` knows which are.
- `reading` reads captions that other programs wrote, and finds their images; `comparing` says what
  these have already.
"""

from core.workspace.export.comparing import FoundCaption, FoundInFile, FoundReview, compared
from core.workspace.export.exporting import export
from core.workspace.export.formats import ExportFormat, ImageFiles
from core.workspace.export.gathering import CAPTION_FORMATS, caption_beside, common_root, gathered
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.output import FilesInTheWay
from core.workspace.export.reading import matched, read_captions, until_stopped
from core.workspace.export.reviews import REVIEWS, Contents, with_reviews

__all__ = [
    "CAPTION_FORMATS",
    "REVIEWS",
    "Contents",
    "ExportFormat",
    "ExportItem",
    "ExportOptions",
    "ExportReport",
    "FilesInTheWay",
    "FoundCaption",
    "FoundInFile",
    "FoundReview",
    "ImageFiles",
    "caption_beside",
    "common_root",
    "compared",
    "export",
    "gathered",
    "matched",
    "read_captions",
    "until_stopped",
    "with_reviews",
]
