"""Makes the libraries in the package smaller on Linux without removing any function.

Three things are removed: symbol tables that only a debugger reads, unused gaps inside files, and
data of ICU that Qt does not use.
"""

from __future__ import annotations

import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from operator import itemgetter
from pathlib import Path

from bundle import Contents, matches, without_engine

TOOLS = ("strip", "objcopy", "as", "ld")
_LOAD = 1
_LARGEST_PAGE = 65_536
_WORTHWHILE_BYTES = 50_000


def make_smaller(folder: Path, inside: Contents) -> None:
    """Rewrite the libraries below `folder`; needs binutils."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        print(f"   no {', '.join(missing)} (binutils) here: the package is larger than it need be")
        return
    libraries = [path for path in folder.rglob("*.so*") if path.is_file() and not path.is_symlink()]
    for path in libraries:
        name = without_engine(path.relative_to(folder).as_posix())
        if name.startswith("nvidia/"):
            # NVIDIA's licence allows redistribution of unmodified libraries only.
            continue
        if path.name.startswith("libicudata.so."):
            drop_icu_data(path, inside.dropped_icu_data)
        elif matches(name, inside.stripped_files):
            subprocess.run(["strip", "--strip-unneeded", path], check=True)
        else:
            close_holes(path)


# ── Holes ───────────────────────────────────────────────────────────────────────────────────


def close_holes(path: Path) -> None:
    """Move the segments of an ELF library together where build tools have left holes between them.

    auditwheel appends segments and leaves the space of the old ones unused; strip does not move
    segments. The loaded contents and their addresses stay the same. The section table, which only
    linkers and debuggers read, is removed. A file that would hardly shrink is left as it is.
    """
    old = path.read_bytes()
    if old[:6] != b"\x7fELF\x02\x01":
        return
    new = _packed(old)
    if len(new) < len(old) - _WORTHWHILE_BYTES:
        path.write_bytes(new)


def _packed(old: bytes) -> bytes:
    table, size, count = _program_headers(old)
    headers = [list(struct.unpack_from("<IIQQQQQQ", old, table + i * size)) for i in range(count)]
    moves: list[tuple[int, int, int]] = []
    new = bytearray()
    loads = sorted((header for header in headers if header[0] == _LOAD), key=itemgetter(2))
    for load in loads:
        start, length = load[2], load[5]
        # The loader maps whole pages, so a segment must keep its offset within a page. Older
        # linkers assumed pages of 2 MB, which no system has.
        load[7] = min(max(load[7], 1), _LARGEST_PAGE)
        new += bytes((start - len(new)) % load[7])
        moves.append((start, start + length, len(new) - start))
        new += old[start : start + length]

    def moved(offset: int, length: int) -> int:
        for start, end, by in moves:
            if start <= offset and offset + length <= end:
                return offset + by
        raise ValueError("something lies outside of what is loaded")

    try:
        for header in headers:
            if header[5]:
                header[2] = moved(header[2], header[5])
        new_table = moved(table, size * count)
    except ValueError:
        return old
    for i, header in enumerate(headers):
        struct.pack_into("<IIQQQQQQ", new, new_table + i * size, *header)
    struct.pack_into("<QQ", new, 32, new_table, 0)
    struct.pack_into("<HH", new, 60, 0, 0)
    return bytes(new)


def _program_headers(library: bytes) -> tuple[int, int, int]:
    """Offset of the program header table, size of an entry in bytes, number of entries."""
    (table,) = struct.unpack_from("<Q", library, 32)
    size, count = struct.unpack_from("<HH", library, 54)
    return table, size, count


# ── ICU ─────────────────────────────────────────────────────────────────────────────────────


def drop_icu_data(library: Path, patterns: Sequence[str]) -> None:
    """Remove the items whose names match `patterns` from libicudata, which holds only data."""
    symbol = f"icudt{library.name.rpartition('.')[2]}_dat"
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        data, source, compiled = folder / "icu.dat", folder / "icu.s", folder / "icu.o"
        command = ["objcopy", "-O", "binary", "--only-section=.rodata", library, data]
        subprocess.run(command, check=True)
        data.write_bytes(icu_data_without(data.read_bytes(), patterns))
        source.write_text(
            f".section .rodata\n.global {symbol}\n.type {symbol}, @object\n.balign 16\n"
            f'{symbol}: .incbin "{data}"\n.size {symbol}, . - {symbol}\n'
            '.section .note.GNU-stack, "", @progbits\n'
        )
        subprocess.run(["as", source, "-o", compiled], check=True)
        command = ["ld", "-shared", "-soname", library.name, "-o", library, compiled]
        subprocess.run(command, check=True)


def icu_data_without(data: bytes, patterns: Sequence[str]) -> bytes:
    """Return ICU's common data file without the items whose names match `patterns`.

    Its format (ucmndata.h, udata.h) is a header, a table of contents, and the items. Raises
    ValueError for other data.
    """
    (header,) = struct.unpack_from("<H", data)
    if data[2:4] != b"\xda\x27" or data[12:16] != b"CmnD":
        raise ValueError("this is not ICU's data")
    kept = [
        (name, item)
        for name, item in _icu_items(data[header:])
        # The part of a name before the slash is the name of the whole file.
        if not matches(name.partition(b"/")[2].decode("ascii"), patterns)
    ]
    names = b"".join(name + b"\0" for name, _ in kept)
    name_at = 4 + 8 * len(kept)
    item_at = name_at + len(names)
    table, items = struct.pack("<I", len(kept)), bytearray()
    for name, item in kept:
        items += bytes(-(header + item_at + len(items)) % 16)
        table += struct.pack("<II", name_at, item_at + len(items))
        name_at += len(name) + 1
        items += item
    return data[:header] + table + names + bytes(items)


def _icu_items(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    (count,) = struct.unpack_from("<I", body)
    offsets = list(struct.iter_unpack("<II", body[4 : 4 + 8 * count]))
    ends = [start for _, start in offsets[1:]] + [len(body)]
    for (name, start), end in zip(offsets, ends, strict=True):
        yield body[name : body.index(b"\0", name)], body[start:end]
