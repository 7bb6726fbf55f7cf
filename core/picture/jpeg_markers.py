"""What the markers of a JPEG say before it is decoded: its size, and how many scans it has.

Source: ITU-T T.81, annex B.
"""

from __future__ import annotations

import re
from typing import BinaryIO

from core.message import translatable

_FRAMES = {0xC0, 0xC1, 0xC2}
"""Baseline, extended and progressive: what libjpeg decodes. Raw files hold lossless ones too."""

_JPEG_LS = 0xF7
_UNDECODABLE = {
    **dict.fromkeys((0xC3, 0xCB), translatable("core", "lossless JPEG")),
    **dict.fromkeys(
        (0xC5, 0xC6, 0xC7, 0xCD, 0xCE, 0xCF), translatable("core", "hierarchical JPEG")
    ),
    _JPEG_LS: "JPEG-LS",
}
# C4, C8 and CC begin other segments.
_FRAME_MARKERS = {*range(0xC0, 0xD0), _JPEG_LS} - {0xC4, 0xC8, 0xCC}

_WITHOUT_LENGTH = {0x01, *range(0xD0, 0xD9)}
_SOI, _EOI, _SOS = 0xD8, 0xD9, 0xDA
# APP1 to APP13, APP15 and comments.
_METADATA = {*range(0xE1, 0xF0), 0xFE} - {0xEE}
_AFTER_SCAN = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]", re.DOTALL)
_READ_BYTES = 2**20

MOST_SEGMENTS = 20_000
"""Segments before the first scan. Files of cameras and editors have fewer than a hundred."""


def jpeg_size(data: bytes, start: int = 0) -> tuple[int, int] | None:
    """Returns the (width, height) of a JPEG that begins at `start` and that Pillow can decode.

    Returns None for anything else, also for a lossless JPEG. Reads no further than to the frame.
    """
    if data[start : start + 3] != b"\xff\xd8\xff":
        return None
    at = start + 2
    for _ in range(500):
        if at + 4 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker == 0xFF:  # A fill byte.
            at += 1
            continue
        if marker in _WITHOUT_LENGTH:
            at += 2
            continue
        if marker in _FRAMES:
            height = int.from_bytes(data[at + 5 : at + 7], "big")
            width = int.from_bytes(data[at + 7 : at + 9], "big")
            is_eight_bit = data[at + 4 : at + 5] == b"\x08"
            return (width, height) if width and height and is_eight_bit else None
        if marker in (_EOI, _SOS) or (0xC3 <= marker <= 0xCF and marker not in (0xC4, 0xCC)):
            return None
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def undecodable_kind(file: BinaryIO) -> str:
    """Returns what a sentence calls a JPEG that libjpeg does not decode, as "lossless JPEG"; "" for
    others. Leaves the file at its start."""
    file.seek(2)
    try:
        for _ in range(MOST_SEGMENTS):
            start = file.read(2)
            while start[:1] == b"\xff" and start[1:] == b"\xff":
                start = start[1:] + file.read(1)
            if len(start) < 2 or start[0] != 0xFF or start[1] in (_SOS, _EOI):
                return ""
            if start[1] in _WITHOUT_LENGTH:
                continue
            length = int.from_bytes(file.read(2), "big")
            if start[1] in _FRAME_MARKERS:
                precision = file.read(1)
                kind = _UNDECODABLE.get(start[1], "")
                if precision > b"\x08" and not kind:
                    return translatable("core", "{bits} bits").format(bits=precision[0])
                return kind
            file.seek(max(0, length - 2), 1)
        return ""
    finally:
        file.seek(0)


def without_metadata(data: bytes) -> bytes | None:
    """Returns a JPEG without comments and what applications stored in it (EXIF, XMP, a profile, a
    thumbnail), and without what follows its end; None if it does not end as it should.

    What a decoder needs stays: JFIF's segment, and Adobe's, which names the colour space.
    """
    kept, at = [data[:2]], 2
    while True:
        # Inside the data of a scan, FF is followed by 00, a restart marker or the next segment.
        while data[at : at + 1] == b"\xff" and data[at + 1 : at + 2] == b"\xff":
            at += 1
        marker = data[at + 1] if data[at : at + 1] == b"\xff" and at + 1 < len(data) else None
        if marker is None or marker in _WITHOUT_LENGTH:
            return None
        if marker == _EOI:
            return b"".join([*kept, b"\xff\xd9"])
        end = at + 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == _SOS:
            following = _AFTER_SCAN.search(data, end)
            if following is None:
                return None
            end = following.start()
        if marker not in _METADATA:
            kept.append(data[at:end])
        at = end


def jpeg_end(data: bytes, start: int) -> int:
    """Returns where the JPEG that begins at `start` ends, at the latest at the end of `data`."""
    scan = data.find(b"\xff\xda", start)
    end = data.find(b"\xff\xd9", scan) if scan >= 0 else -1
    return end + 2 if end >= 0 else len(data)


def count_scans(file: BinaryIO) -> int:
    """Returns how many scans the file may have, at most a few more than it has.

    Inside the data of a scan, FF is always followed by 00 or a restart marker, so that FFDA is a
    scan, or is inside a segment such as a thumbnail.
    """
    file.seek(0)
    count, last = 0, b""
    while block := file.read(_READ_BYTES):
        count += (last + block).count(b"\xff\xda")
        last = block[-1:]
    file.seek(0)
    return count


def has_too_many_segments(file: BinaryIO) -> bool:
    """Whether more than `MOST_SEGMENTS` segments precede the first scan.

    Pillow reads each in Python, which takes minutes for a file of nothing else.
    """
    file.seek(2)
    count = 0
    while count <= MOST_SEGMENTS:
        start = file.read(2)
        if len(start) < 2 or start[1] in (_SOS, _EOI):
            break
        count += 1
        if start[0] != 0xFF or start[1] in (0x00, 0xFF):
            file.seek(-1, 1)
        elif start[1] not in _WITHOUT_LENGTH:
            file.seek(max(0, int.from_bytes(file.read(2), "big") - 2), 1)
    file.seek(0)
    return count > MOST_SEGMENTS
