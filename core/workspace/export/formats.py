"""The formats that captions are exported in."""

from __future__ import annotations

from enum import StrEnum


class ExportFormat(StrEnum):
    """A format; its value is what is typed and stored."""

    TEXT = "text"
    """A folder with a text file beside each image, as kohya's scripts and ai-toolkit read it."""
    IMAGEFOLDER = "imagefolder"
    """A folder with images and metadata.jsonl, as `datasets` of Hugging Face reads it."""
    WEBDATASET = "webdataset"
    """A folder of tar files."""
    XMP = "xmp"
    """XMP files with IPTC's descriptions beside images."""
    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"
    COCO = "coco"
    HTML = "html"
    MARKDOWN = "markdown"

    @property
    def is_folder(self) -> bool:
        """Returns whether the output is a folder."""
        return self in (self.TEXT, self.IMAGEFOLDER, self.WEBDATASET, self.XMP)

    @property
    def has_reviews(self) -> bool:
        """Returns whether reviews can be exported: in columns, or in a file beside the others."""
        return self not in (self.COCO, self.HTML, self.MARKDOWN)

    @property
    def has_reviews_apart(self) -> bool:
        """Returns whether the reviews are in a file of their own."""
        return self in (self.TEXT, self.XMP)

    @property
    def has_images_without_caption(self) -> bool:
        """Returns whether an image can be there for its review alone."""
        return self in (self.JSONL, self.CSV, self.PARQUET)

    @property
    def suffix(self) -> str:
        """Returns the suffix of the output, with the dot; "" for a folder."""
        return "" if self.is_folder else _SUFFIXES.get(self, f".{self}")


_SUFFIXES = {ExportFormat.COCO: ".json", ExportFormat.MARKDOWN: ".md"}


class ImageFiles(StrEnum):
    """What becomes of the image files when their captions go to another folder."""

    COPY = "copy"
    LINK = "link"
    """Hard links, which take no room; copies where the disk has none."""
    NONE = "none"
