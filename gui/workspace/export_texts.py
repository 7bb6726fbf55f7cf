"""What is said of exports: the formats, what will be written, and what was."""

from __future__ import annotations

from PySide6.QtCore import QCoreApplication

from core.workspace.export import (
    REVIEWS,
    ExportFormat,
    ExportOptions,
    ExportReport,
    ImageFiles,
)
from gui.widgets.counted import counted

translate = QCoreApplication.translate

_Names = tuple[tuple[ExportFormat, str, str], ...]


def format_names() -> _Names:
    """Returns each format with its name and who reads it, in the order in which to offer them."""
    return (*_training_formats(), *_table_formats(), *_document_formats())


def _training_formats() -> _Names:
    return (
        (
            ExportFormat.TEXT,
            translate("Export", "Text files"),
            translate(
                "Export",
                "A folder with a text file for each image, as kohya's scripts and "
                "ai-toolkit read it.",
            ),
        ),
        (
            ExportFormat.IMAGEFOLDER,
            translate("Export", "Hugging Face image folder"),
            translate(
                "Export",
                "A folder with the images and metadata.jsonl, as the library “datasets” reads it.",
            ),
        ),
        (
            ExportFormat.WEBDATASET,
            translate("Export", "WebDataset"),
            translate("Export", "A folder of tar files with images and captions."),
        ),
    )


def _table_formats() -> _Names:
    return (
        (
            ExportFormat.JSONL,
            translate("Export", "JSON lines"),
            translate("Export", "One file with a line for each image."),
        ),
        (
            ExportFormat.CSV,
            translate("Export", "CSV table"),
            translate("Export", "One file for spreadsheets."),
        ),
        (
            ExportFormat.PARQUET,
            translate("Export", "Parquet table"),
            translate("Export", "One file for pandas, Spark and “datasets”."),
        ),
        (
            ExportFormat.COCO,
            translate("Export", "COCO captions"),
            translate("Export", "One JSON file with images and annotations."),
        ),
    )


def _document_formats() -> _Names:
    return (
        (
            ExportFormat.HTML,
            translate("Export", "Web page (HTML)"),
            translate("Export", "One page with the images, their alt texts and captions."),
        ),
        (
            ExportFormat.MARKDOWN,
            translate("Export", "Markdown"),
            translate("Export", "One document with the images and their alt texts."),
        ),
        (
            ExportFormat.XMP,
            translate("Export", "XMP files"),
            translate("Export", "Descriptions and alt texts for Lightroom, digiKam and archives."),
        ),
    )


def summary(options: ExportOptions, count: int, *, adds_reviews: bool = False) -> str:
    """Returns what will be written for so many images."""
    kind = options.format
    if not kind.is_folder:
        text = translate("Export", "Writes the captions into the file “{path}”.")
    elif kind is ExportFormat.IMAGEFOLDER:
        text = translate("Export", "Writes metadata.jsonl into the folder “{path}”.")
    elif kind is ExportFormat.WEBDATASET:
        text = translate("Export", "Writes tar files with the images into the folder “{path}”.")
    elif kind is ExportFormat.XMP:
        text = translate("Export", "Writes an XMP file for each image into the folder “{path}”.")
    else:
        text = translate("Export", "Writes a text file for each image into the folder “{path}”.")
    images = counted(
        count,
        translate("Export", "1 image, if it has a caption."),
        translate("Export", "{count} images; those without a caption are left out."),
    )
    parts = [text.format(path=options.output), images]
    if kind.is_folder and kind is not ExportFormat.WEBDATASET:
        if options.images is ImageFiles.COPY:
            parts.insert(1, translate("Export", "The images are copied there."))
        elif options.images is ImageFiles.LINK:
            parts.insert(1, translate("Export", "The images are linked there."))
    if adds_reviews:
        parts.append(_about_reviews(kind))
    return " ".join(parts)


def _about_reviews(kind: ExportFormat) -> str:
    if kind.has_reviews_apart:
        text = translate("Export", "The reviews of all these images go into {name} there.")
        return text.format(name=REVIEWS)
    if kind.has_images_without_caption:
        return translate("Export", "Images with a review are there without a caption, too.")
    return translate("Export", "Each has its review.")


def outcome(report: ExportReport) -> str:
    """Returns what became of an export, in three short sentences at most."""
    said = counted(
        report.images,
        translate("Export", "Exported 1 caption to “{path}”."),
        translate("Export", "Exported {count} captions to “{path}”."),
    ).replace("{path}", str(report.output))
    if not report.images:
        said = translate("Export", "No caption was exported.")
    if report.reviews:
        reviews = counted(
            report.reviews,
            translate("Export", "1 review was exported."),
            translate("Export", "{count} reviews were exported."),
        )
        said += f" {reviews}"
    if report.without_caption:
        left = counted(
            report.without_caption,
            translate("Export", "1 image without a caption was left out."),
            translate("Export", "{count} images without a caption were left out."),
        )
        said += f" {left}"
    return said


def failed(count: int) -> str:
    """Returns how many images are missing in an export, before their list."""
    return counted(
        count,
        translate("Export", "1 image could not be exported:"),
        translate("Export", "{count} images could not be exported:"),
    )
