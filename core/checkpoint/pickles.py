"""Looks through the pickle of a `.bin` before torch unpickles it.

torch's restricted unpickler runs no code of a file, but what it allows can still take all memory or
all day: it counts, fills byte arrays and makes tensors of other kinds. A file of weights needs none
of that.
"""

from __future__ import annotations

import io
import pickletools
import re
import zipfile
from pathlib import Path

from core.files import open_regular

_LARGEST_DIRECTORY = 16_000_000
_LARGEST_PICKLE = 16_000_000
# 30 for each tensor. Looking through them takes two seconds.
_MOST_OPERATIONS = 3_000_000
_LARGEST_FILE = 1 << 50
# What a state dict of dense tensors needs, old and new.
_GLOBALS = re.compile(
    r"collections OrderedDict"
    r"|torch\._utils (_rebuild_tensor|_rebuild_tensor_v2|_rebuild_parameter)"
    r"|torch(\.storage)? \w+Storage"
    r"|torch\.nn\.parameter Parameter"
    r"|torch (Size|(b?float|u?int|bool|complex)\w*)"
)
# Other ways to name something than `GLOBAL`, which torch neither writes nor reads.
_UNUSED = {"STACK_GLOBAL", "INST", "EXT1", "EXT2", "EXT4", "PERSID"}


def require_plain_pickle(path: Path) -> None:
    """Raises ValueError, or OSError, for a `.bin` that is more than a dict of dense tensors."""
    with open_regular(path, most=_LARGEST_FILE) as file:
        try:
            with zipfile.ZipFile(_BoundedReader(file)) as archive:
                pickles = [
                    one for one in archive.infolist() if one.filename.lower().endswith("data.pkl")
                ]
                if len(pickles) != 1 or pickles[0].file_size > _LARGEST_PICKLE:
                    raise ValueError(f"{path} is no archive of tensors")
                with archive.open(pickles[0]) as member:
                    content = member.read(_LARGEST_PICKLE + 1)
        except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
            raise ValueError(f"{path} is no archive of tensors") from error
    _require_known(path, content)


def _require_known(path: Path, content: bytes) -> None:
    for count, (operation, argument, _) in enumerate(pickletools.genops(content)):
        if count > _MOST_OPERATIONS:
            raise ValueError(f"{path} has too many tensors")
        if operation.name in _UNUSED:
            raise ValueError(f"{path} uses {operation.name}")
        if operation.name == "GLOBAL" and not _GLOBALS.fullmatch(str(argument)):
            raise ValueError(f"{path} asks for {argument}")


class _BoundedReader(io.RawIOBase):
    """A file whose every read is bounded: a zip says itself how long its list of contents is."""

    def __init__(self, file: io.BufferedReader):
        super().__init__()
        self._file = file

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _LARGEST_DIRECTORY:
            size = _LARGEST_DIRECTORY
        return self._file.read(size)
