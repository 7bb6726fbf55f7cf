"""Images cost what they hold: files that claim too much are refused in little time and memory."""

import io
import os
import struct
import sys
import threading
import time
import zlib

import pytest
from PIL import Image

from core.errors import PictureError
from core.picture import find_pictures, open_picture
from core.picture.budget import MemoryBudget
from tests.core.picture.image_files import chunk, data_of, error_of, photograph, python
from tests.support.tiers import mostly_slow

# Not `ru_maxrss`, which a process inherits from the one that started it.
PEAK = (
    "peak_mebibytes = int(Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
    " // 1024 if Path('/proc/self/status').exists() else 0"
)


def gif(width, height, blocks=b"\x02\x44\x01\0"):
    frame = b"," + struct.pack("<HHHH", 0, 0, width, height) + b"\0\x02" + blocks
    return b"GIF89a" + struct.pack("<HH", width, height) + b"\x80\0\0" + bytes(6) + frame + b";"


def webp(width, height):
    """A lossless WebP of one colour, which takes no bits for its pixels."""
    bits, count = 0, 0

    def write(value, length):
        nonlocal bits, count
        bits |= value << count
        count += length

    for value, length in ((0x2F, 8), (width - 1, 14), (height - 1, 14), (1, 1), (0, 3), (0, 3)):
        write(value, length)
    for symbol in (0, 0, 0, 255, 0):
        for value, length in ((1, 1), (0, 1), (1, 1), (symbol, 8)):
            write(value, length)
    data = bits.to_bytes((count + 7) // 8, "little")
    data += bytes(len(data) % 2)
    body = b"WEBPVP8L" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def jpeg_of_scans(count):
    data = data_of(photograph((1200, 900)), "JPEG", progressive=True)
    last, end = data.rfind(b"\xff\xda"), data.rfind(b"\xff\xd9")
    length = int.from_bytes(data[last + 2 : last + 4], "big")
    return data[:end] + (data[last : last + 2 + length] + bytes(30)) * count + data[end:]


def huge_png(interlaced):
    header = struct.pack(">IIBBBBB", 29_000, 29_000, 8, 6, 0, 0, interlaced)
    data = chunk(b"IDAT", zlib.compress(bytes(3_000_000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")


def chained_tiff(count):
    data = bytearray(b"II*\0" + struct.pack("<I", 8))
    for _ in range(count):
        entry = struct.pack("<HHHII", 1, 256, 3, 1, 5)
        data += entry + struct.pack("<I", len(data) + len(entry) + 4)
    return bytes(data)


def many_pages(count):
    """A whole small TIFF, with a chain of directories behind it."""
    data = bytearray(data_of(Image.new("L", (9, 9), 50), "TIFF"))
    (first,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[first : first + 2])
    after = first + 2 + 12 * entries
    data += bytes(len(data) % 2)
    data[after : after + 4] = struct.pack("<I", len(data))
    for _ in range(count):
        entry = struct.pack("<HHHII", 1, 256, 3, 1, 5)
        data += entry + struct.pack("<I", len(data) + len(entry) + 4)
    return bytes(data)


BOMBS = {
    "gif": (lambda: gif(29_999, 29_999), "of memory to decode"),
    "gif65535": (lambda: gif(65_535, 65_535), "claims to have 65535"),
    "webp": (lambda: webp(16_383, 16_383), "of memory to decode"),
    "scans": (lambda: jpeg_of_scans(5000), "(5,"),
    "segments": (lambda: b"\xff\xd8" + b"\xff\xe2\0\2" * 9_000_000, "too many segments"),
    "fill": (lambda: b"\xff\xd8" + b"\xff" * 30_000_000, "too many segments"),
    "ppm": (lambda: b"P6\n#" + b"x" * 50_000_000 + b"\n9 9\n255\n" + bytes(243), "endless header"),
    "ppm spaces": (lambda: b"P6" + b" " * 50_000_000 + b"9 9\n255\n" + bytes(243), "endless"),
    "ppm text": (lambda: b"P3\n4000 4000\n255\n" + b"1 " * 20_000_000, "numbers as text"),
    "pfm": (lambda: b"Pf\n29000 29000\n-1.0\n" + bytes(4000), "of memory to decode"),
    "interlaced": (lambda: huge_png(1), "of memory to decode"),
    "chunks": (lambda: huge_png(0)[:33] + chunk(b"abCd", b"") * 3_000_000, "chunks"),
    "tiff": (lambda: chained_tiff(300_000), "damaged or incomplete"),
}


@pytest.mark.parametrize(
    "name",
    mostly_slow(BOMBS, ("gif65535", "webp", "scans", "segments", "ppm text", "chunks", "tiff")),
)
def test_file_that_claims_too_much_is_refused_in_little_time_and_memory(name, tmp_path):
    make, sentence = BOMBS[name]
    path = tmp_path / "bomb"
    path.write_bytes(make())
    done = python(f"""
        import time
        from pathlib import Path
        from core.picture import open_picture
        from core.errors import PictureError
        began = time.process_time()
        try:
            open_picture(Path({str(path)!r}))
        except PictureError as error:
            print(error)
        assert time.process_time() - began < 5
        {PEAK}
        assert peak_mebibytes < 300, peak_mebibytes
    """)
    assert done.returncode == 0, done.stderr
    assert sentence in done.stdout, done.stdout


@pytest.mark.parametrize(
    "make",
    [lambda: gif(9, 9, b"\1\x44" * 20_000_000 + b"\0"), lambda: many_pages(300_000)],
    ids=["gif of tiny blocks", "tiff of many pages"],
)
def test_image_with_endless_frames_is_shown_at_once(make):
    data = make()
    began = time.process_time()
    assert "This is the first of many frames." in open_picture(data).notes
    assert time.process_time() - began < 5


def test_image_with_as_many_scans_and_comments_as_real_ones_have_opens():
    assert open_picture(jpeg_of_scans(40)).pixels.size == (1200, 900)
    comments = b"# made by a test\n" * 50
    assert open_picture(b"P6\n" + comments + b"2 2\n255\n" + bytes(12)).pixels.size == (2, 2)
    assert open_picture(b"P3 # one\n1 1 # two\n255\n9 8 7\n").pixels.getpixel((0, 0)) == (9, 8, 7)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="Linux alone tells a process's own peak")
@pytest.mark.parametrize("kind", ["WEBP", "PNG", "JPEG2000"])
def test_openers_together_stay_within_a_gigabyte(tmp_path, kind):
    """Each file alone is within the budget, and all of them at once are far over it."""
    side = 4500
    options = {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "large"
    if kind == "PNG":
        header = struct.pack(">IIBBBBB", side, side, 8, 6, 0, 0, 1)
        data = chunk(b"IDAT", zlib.compress(bytes(side * (4 * side + 2) + 99_999), 1))
        path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data)
    else:
        Image.new("RGB", (side, side), "teal").save(path, kind, **options)
    done = python(f"""
        from concurrent.futures import ThreadPoolExecutor
        from pathlib import Path
        from core.picture import open_picture
        path = Path({str(path)!r})
        with ThreadPoolExecutor(6) as pool:
            pictures = pool.map(lambda path: open_picture(path).original_size, [path] * 6)
            sizes = list(pictures)
        assert sizes == [({side}, {side})] * 6
        {PEAK}
        print(peak_mebibytes)
    """)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 1000


def test_budget_is_given_in_the_order_of_asking_and_never_exceeded():
    budget, held, most, order = MemoryBudget(150, 100), [0], [0], []
    lock, all_ask = threading.Lock(), threading.Barrier(41)
    first_holds, may_give_back = threading.Event(), threading.Event()

    def take(number, size):
        all_ask.wait()
        with budget.taken(size, "“a”"):
            with lock:
                held[0] += size
                most[0] = max(most[0], held[0])
                order.append(number)
            first_holds.set()
            may_give_back.wait()
            with lock:
                held[0] -= size

    threads = [
        threading.Thread(target=take, args=(number, 20 + 31 * number % 80)) for number in range(40)
    ]
    for thread in threads:
        thread.start()
    all_ask.wait()
    first_holds.wait()
    may_give_back.set()
    for thread in threads:
        thread.join()
    assert sorted(order) == list(range(40))
    assert most[0] <= 100


def test_budget_is_given_back_by_a_decoder_that_fails():
    budget = MemoryBudget(100, 100)
    for _ in range(3):
        with pytest.raises(KeyError), budget.taken(100, "“a”"):
            raise KeyError
    with pytest.raises(PictureError, match=r"“a” needs .* limit"), budget.taken(101, "“a”"):
        pass


# ---- what is not a file


@pytest.mark.skipif(os.name == "nt", reason="pipes and devices have other names there")
@pytest.mark.parametrize("kind", ["pipe", "device", "link to a device", "link to a pipe", "socket"])
def test_what_is_not_a_file_is_refused_at_once(tmp_path, kind):
    import socket

    path = tmp_path / "a.png"
    other = tmp_path / "other"
    match kind:
        case "pipe":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "link to a device":
            other.symlink_to("/dev/zero")
            path.symlink_to(other)
        case "link to a pipe":
            os.mkfifo(other)
            path.symlink_to(other)
        case "socket":
            bound = socket.socket(socket.AF_UNIX)
            here = os.getcwd()  # noqa: PTH109
            os.chdir(tmp_path)
            bound.bind("a.png")
            os.chdir(here)
            bound.close()
    began = time.process_time()  # A pipe would be waited for without end, a device read.
    assert "“a.png” cannot be opened (it is a " in error_of(path)
    assert time.process_time() - began < 2
    path.rename(tmp_path / "a.dat")
    assert find_pictures([tmp_path]) == []


def test_file_that_is_far_too_large_is_refused_unread(tmp_path):
    path = tmp_path / "a.png"
    with path.open("wb") as file:
        file.write(data_of(photograph((8, 8)), "PNG"))
        file.truncate(5 * 10**9)
    assert "it is larger than 4.0 GB" in error_of(path)


def test_bytes_read_like_files():
    assert open_picture(io.BytesIO(data_of(photograph((8, 8)), "PNG")).getvalue()).pixels
