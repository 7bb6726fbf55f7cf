"""XMP files with IPTC's descriptions: what is in a file already stays."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath

from core.captions import xmp
from core.captions.formats import CaptionFormat
from core.captions.naming import CaptionNames
from core.errors import StoreError
from core.files import DiskFull, read_bytes, write_atomically
from core.message import translatable
from core.workspace.data import Failure
from core.workspace.export.datasets import add_image, image_names
from core.workspace.export.formats import ImageFiles
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.output import Output
from core.workspace.messages import as_message

_LONG = 250


class XmpFiles:
    """An XMP file for each image: beside it where the output is its own folder, else in the output
    with or without the image."""

    def __init__(self, options: ExportOptions):
        self._options = options
        self._in_place = CaptionNames(options.pattern, (CaptionFormat.XMP,))

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the files to write, but for those beside images, which are changed in place."""
        names = _names(items)
        return [
            *image_names(items, self._options),
            *(names[item.name] for item in items if not self._is_in_place(item)),
        ]

    def write(self, items: Sequence[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes them. A file that describes its image otherwise is left, and reported."""
        names = _names(items)
        for item in items:
            try:
                if self._is_in_place(item):
                    output.stop_if_asked()
                    self._change(item)
                    output.files += 1
                elif add_image(item, self._options, output, report):
                    output.write_bytes(names[item.name], _described(None, item, ""))
                else:
                    continue
            except DiskFull:
                raise
            except StoreError as error:
                report.failures.append(Failure(item.path, as_message(error.message)))
            else:
                report.images += 1

    def _is_in_place(self, item: ExportItem) -> bool:
        output = self._options.output / PurePosixPath(item.name)
        return self._options.images is ImageFiles.NONE and output.resolve() == item.path.resolve()

    def _change(self, item: ExportItem) -> None:
        (path,) = self._in_place.targets(item.path)
        if path.is_symlink():
            text = translatable("core", "“{name}” is a link. Replace it with a file.")
            raise StoreError(text.format(name=path.name))
        before = read_bytes(path, most=xmp.LARGEST)
        known = xmp.read(before, path.name)
        if known.description not in ("", item.caption):
            text = translatable(
                "core", "“{name}” has another description. Move it away, or keep that one."
            )
            raise StoreError(text.format(name=path.name))
        after = _described(before, item, path.name)
        if after != before:
            write_atomically(path, after)


def _described(before: bytes | None, item: ExportItem, name: str) -> bytes:
    long = item.long_description or (item.caption if len(item.caption) > _LONG else None)
    return xmp.described(
        before,
        description=item.caption,
        alt_text=item.shown_alt_text,
        extended=long,
        extension=item.path.suffix[1:],
        name=name,
    )


def _names(items: Iterable[ExportItem]) -> dict[str, str]:
    """Returns the XMP file's name by the image's: after the stem unless two images share it."""
    paths = [PurePosixPath(item.name) for item in items]
    stems = Counter(str(path.with_suffix("")).casefold() for path in paths)
    return {
        str(path): f"{path}.xmp"
        if stems[str(path.with_suffix("")).casefold()] > 1
        else str(path.with_suffix(".xmp"))
        for path in paths
    }
