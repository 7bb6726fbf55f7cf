"""WebDataset: tar files in which an image, its caption and its facts follow one another."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, BinaryIO

from core.files import size_of
from core.workspace.export.items import ExportItem, ExportOptions, ExportReport
from core.workspace.export.output import Output
from core.workspace.export.tables import json_text, read_image

_MOST_SAMPLES = 10_000
# Numbers beyond a shorter export that are looked at for shards of a longer one.
_MOST_OLD = 1_000
# webdataset's decoders know these; others go under their own suffix.
_SUFFIXES = {"jpeg": "jpg", "jpe": "jpg", "jfif": "jpg", "tif": "tiff"}


class WebDataset:
    """Shards of at most so many bytes. Samples are numbered: webdataset takes what a name has
    before its first dot for the sample, so that a.b.jpg and a.c.jpg would be one."""

    def __init__(self, options: ExportOptions):
        self._options = options

    def names(self, items: Sequence[ExportItem]) -> list[str]:
        """Returns the files to write."""
        return [_shard_name(number) for number, _ in enumerate(self._shards(items))]

    def write(self, items: Sequence[ExportItem], output: Output, report: ExportReport) -> None:
        """Writes them, and removes shards of a longer export."""
        number = 0
        for shard, group in enumerate(self._shards(items)):

            def fill(file: BinaryIO, group: list[ExportItem] = group, first: int = number) -> None:
                _fill(file, group, first, output, report)

            output.write(_shard_name(shard), fill)
            number += len(group)
        shards = len(self.names(items))
        output.remove_old([_shard_name(n) for n in range(shards, shards + _MOST_OLD)])

    def _shards(self, items: Iterable[ExportItem]) -> Iterator[list[ExportItem]]:
        group: list[ExportItem] = []
        size = 0
        for item in items:
            own = size_of(item.path)
            if group and (size + own > self._options.shard_bytes or len(group) >= _MOST_SAMPLES):
                yield group
                group, size = [], 0
            group.append(item)
            size += own
        if group:
            yield group


def _shard_name(number: int) -> str:
    return f"images-{number:06}.tar"


def _fill(
    file: BinaryIO, items: Iterable[ExportItem], first: int, output: Output, report: ExportReport
) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for number, item in enumerate(items, first):
            output.stop_if_asked()
            data = read_image(item, report)
            if data is None:
                continue
            suffix = item.path.suffix[1:].lower()
            suffix = suffix if re.fullmatch(r"[a-z0-9]+", suffix) else "img"
            _add(tar, f"{number:09}.{_SUFFIXES.get(suffix, suffix)}", data)
            _add(tar, f"{number:09}.txt", item.caption.encode("utf-8", "replace"))
            record: dict[str, Any] = item.record()
            _add(tar, f"{number:09}.json", json_text(record).encode())
            report.images += 1


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size = len(data)
    info.mode = 0o644
    tar.addfile(info, io.BytesIO(data))
