"""Writes caption files whose change is kept in the database already: quickly, and never over what
somebody else has written.

A file that has the content before the change gets the one after it; any other content is left.
Small files are overwritten in place by a single write, which takes a tenth of the time of a new
file that replaces the old one, and shows other programs either the old or the new caption. What a
killed program or a power cut has left half written is recognised by the two contents, and finished.
"""

from __future__ import annotations

import errno
import os
import stat
from dataclasses import dataclass
from enum import Enum, auto
from itertools import takewhile
from pathlib import Path

from core.captions.stamps import stamp_after, stamp_in_place
from core.errors import StoreError
from core.files import read_bytes, remove_partial, replace_file, sync_folder, write_error
from core.message import translatable

# A write of one page is seen by other programs, and by a kill, as done or not done.
_PAGE = 4096
_PLAIN = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0)


class Recovery(Enum):
    """What may have happened to a file that a change was to give its content. Bytes that a power
    cut did not let arrive are those from before, or zeros, or missing."""

    NONE = auto()
    OF_KILL = auto()
    OF_POWER_CUT = auto()


class ChangedOutside(StoreError):
    """A file that holds neither what it held before a change nor what it holds after it. `found` is
    its content, None for no file."""

    def __init__(self, path: Path, found: bytes | None):
        super().__init__(
            translatable(
                "core",
                "Another program has changed “{name}”. Look at its caption, then change it again.",
            ).format(name=path.name)
        )
        self.found = found


def put(
    path: str,
    before: bytes | None,
    after: bytes | None,
    recovery: Recovery = Recovery.NONE,
    *,
    is_durable: bool,
) -> tuple[int, int] | None:
    """Gives a file the content `after` if it has the content `before`. Returns the file's stamp
    (`core.captions.stamps`); None if a recovery finds that it had the content already.

    With `is_durable` it is on the disk on return. In a recovery, what a killed program has left
    half written is replaced too. Raises ChangedOutside, StoreError, and DiskFull.
    """
    change = _Change(path, before, after, recovery)
    try:
        if recovery is not Recovery.NONE:
            remove_partial(Path(path))
            if read_bytes(Path(path)) == after:
                return None
        if not is_durable and (stamp := change.make_in_place()) is not None:
            return stamp
        change.make_anew(is_durable=is_durable)
        if is_durable:
            sync_folder(Path(path).parent)
    except OSError as error:
        raise write_error(Path(path), error) from error
    return stamp_after(path, after)


@dataclass(frozen=True)
class _Change:
    path: str
    before: bytes | None
    after: bytes | None
    recovery: Recovery

    def make_in_place(self) -> tuple[int, int] | None:
        """Overwrites a small file, or writes a new one; returns its stamp, None where that is not
        to be."""
        if self.after is None or len(self.after) > _PAGE:
            return None
        if self.before is None:
            return self._create(self.after) if self.recovery is Recovery.NONE else None
        if len(self.before) > _PAGE or b"\0" in self.after:
            return None  # Blank lines at the end of UTF-16 would be half characters.
        descriptor = os.open(self.path, os.O_RDWR | _PLAIN)
        try:
            is_written = self._overwrite(descriptor, self.after)
            return stamp_in_place(self.path, descriptor, self.after) if is_written else None
        finally:
            os.close(descriptor)

    def make_anew(self, *, is_durable: bool) -> None:
        """Puts a new file in the place of the old one, or removes it."""
        path = Path(self.path)
        found = read_bytes(path)
        if found == self.after:
            return
        self._require_before(found)
        if self.after is None:
            path.unlink(missing_ok=True)
            return
        mode = None
        if found is not None:
            if not os.access(self.path, os.W_OK):
                raise PermissionError(errno.EACCES, translatable("core", "it is write-protected"))
            mode = path.stat().st_mode & 0o777
        replace_file(path, self.after, mode=mode, is_durable=is_durable)

    def _create(self, data: bytes) -> tuple[int, int] | None:
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | _PLAIN
        try:
            descriptor = os.open(self.path, flags, 0o666)
        except FileExistsError:
            return None
        try:
            if os.write(descriptor, data) == len(data):
                return stamp_in_place(self.path, descriptor, data)
        except OSError:
            Path(self.path).unlink(missing_ok=True)
            raise
        finally:
            os.close(descriptor)
        Path(self.path).unlink(missing_ok=True)
        return None

    def _overwrite(self, descriptor: int, data: bytes) -> bool:
        status = os.fstat(descriptor)
        # The same file under another name, as in a backup, must stay as it is.
        if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
            return False
        found = os.read(descriptor, _PAGE + 1)
        if found == data:
            return True
        self._require_before(found)
        if len(found) > _PAGE:
            return False
        padded = data.ljust(len(found), b"\n")
        os.lseek(descriptor, 0, os.SEEK_SET)
        if os.write(descriptor, padded) != len(padded):
            return False
        if len(padded) != len(data):
            os.ftruncate(descriptor, len(data))
        return True

    def _require_before(self, found: bytes | None) -> None:
        if found != self.before and not self._is_half_made(found):
            raise ChangedOutside(Path(self.path), found)

    def _is_half_made(self, found: bytes | None) -> bool:
        """Returns whether a killed program, or a power cut, may have left this."""
        if found is None or self.after is None or self.recovery is Recovery.NONE:
            return False
        if self.recovery is Recovery.OF_POWER_CUT and self._is_mixed(found):
            return True
        if self.before is None:
            return self.after.startswith(found)
        padded = self.after.ljust(len(self.before), b"\n")
        equal = (one == other for one, other in zip(found, padded, strict=False))
        same = sum(takewhile(bool, equal))
        return found[same:] == self.before[same:]

    def _is_mixed(self, found: bytes) -> bool:
        """Returns whether each byte is of the content before or after, or never arrived."""
        after, before = self.after or b"", self.before or b""
        longest = max(len(after), len(before))
        padded = after.ljust(longest, b"\n"), before.ljust(longest, b"\0")
        return len(found) <= longest and all(
            byte in (0, *others) for byte, *others in zip(found, *padded, strict=False)
        )
