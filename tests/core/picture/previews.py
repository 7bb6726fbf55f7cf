"""Makes camera raw files and Photoshop documents with previews, as small as they can be."""

import struct

from tests.core.picture.image_files import data_of


def ifd(entries, following=0, order="<"):
    """A TIFF directory of (tag, type, value) with values that fit into it."""
    data = struct.pack(f"{order}H", len(entries))
    for tag, kind, value in entries:
        held = struct.pack(f"{order}HH", value, 0) if kind == 3 else struct.pack(f"{order}I", value)
        data += struct.pack(f"{order}HHI", tag, kind, 1) + held
    return data + struct.pack(f"{order}I", following)


def raw_tiff(jpegs, *, start=b"II*\0", orientation=1, first=()):
    """A raw file whose directories name `jpegs`, the smallest in the first directory."""
    order = "<" if start[:2] == b"II" else ">"
    entries = [[(513, 4, 0), (514, 4, len(jpeg))] for jpeg in jpegs]
    entries[0] = [*first, (274, 3, orientation), *entries[0]]
    sizes = [2 + 12 * len(one) + 4 for one in entries]
    at, places, jpeg_at = 8, [], 8 + sum(sizes)
    for size in sizes:
        places.append(at)
        at += size
    data = start + struct.pack(f"{order}I", 8)
    for number, (one, jpeg) in enumerate(zip(entries, jpegs, strict=True)):
        named = [(tag, kind, jpeg_at if tag == 513 else value) for tag, kind, value in one]
        following = places[number + 1] if number + 1 < len(places) else 0
        data += ifd(sorted(named), following, order)
        jpeg_at += len(jpeg)
    return data + b"".join(jpegs)


def dng(jpeg, orientation=1):
    """A DNG whose preview is in a sub-directory, as one strip of JPEG."""
    first = [(254, 4, 1), (274, 3, orientation), (330, 4, 0), (50706, 4, 0x01040000)]
    below = [(254, 4, 1), (259, 3, 7), (273, 4, 0), (279, 4, len(jpeg))]
    begin = 8 + 2 + 12 * len(first) + 4
    jpeg_at = begin + 2 + 12 * len(below) + 4
    first[2] = (330, 4, begin)
    below[2] = (273, 4, jpeg_at)
    return b"II*\0" + struct.pack("<I", 8) + ifd(first) + ifd(below) + jpeg


def raf(jpeg):
    return (
        b"FUJIFILMCCD-RAW 0201FF383501".ljust(84, b"\0")
        + struct.pack(">II", 200, len(jpeg))
        + bytes(200 - 92)
        + jpeg
        + bytes(500)
    )


def cr3(jpeg):
    return b"\0\0\0\x18ftypcrx \0\0\0\1crx isom" + bytes(200) + jpeg + bytes(300)


def psd(image, *, thumbnail=None, has_merged=True, depth=8, compression=0, layers=b""):
    """A Photoshop document of an RGB image."""
    resources = resource(1057, struct.pack(">IB", 1, has_merged) + bytes(9))
    if thumbnail is not None:
        jpeg = data_of(thumbnail, "JPEG", quality=95, subsampling=0)
        head = struct.pack(">IIIIIIHH", 1, *thumbnail.size, 0, 0, len(jpeg), 24, 1)
        resources += resource(1036, head + jpeg)
    planes = b"".join(band.tobytes() for band in image.split())
    if depth == 16:
        planes = b"".join(bytes((byte, byte)) for byte in planes)
    return (
        b"8BPS"
        + struct.pack(">H6xHIIHH", 1, len(image.getbands()), image.height, image.width, depth, 3)
        + bytes(4)
        + struct.pack(">I", len(resources))
        + resources
        + struct.pack(">I", len(layers))
        + layers
        + struct.pack(">H", compression)
        + planes
    )


def resource(number, data):
    return b"8BIM" + struct.pack(">HHI", number, 0, len(data)) + data + bytes(len(data) % 2)
