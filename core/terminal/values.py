"""The values of the command line's options: what an option takes, and why it takes no other."""

from __future__ import annotations

import argparse
import math
import re
from collections.abc import Callable
from pathlib import Path

from core.captions.formats import TEXT_FORMATS, CaptionFormat
from core.captions.sidecar import Existing
from core.errors import ServerError
from core.model_reference import weighted_address
from core.remote.address import read_address

_SEPARATORS = {"line": "\n", "comma": ", ", "space": " ", "none": ""}


def path(text: str) -> Path:
    """A file or folder; "", which would be the current folder, is none."""
    if not text:
        raise argparse.ArgumentTypeError("must be a file or folder")
    return Path(text)


def word(text: str) -> str:
    """A word, which is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must be a word")
    return text


def prompt(text: str) -> str:
    """A question, which is not empty."""
    if not text.strip():
        raise argparse.ArgumentTypeError("must be a question")
    return text


def device(text: str) -> str:
    """auto, cpu or a CUDA card."""
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError("must be auto, cpu, cuda or cuda:N")
    return text


def count(text: str) -> int:
    """A number from 1 to 100,000."""
    return int(_number(text, int, 1, 100_000))


def port(text: str) -> int:
    """A port; 0 is any free one."""
    return int(_number(text, int, 0, 65_535))


def queue(text: str) -> int:
    """How many may wait, from 0 to 10,000."""
    return int(_number(text, int, 0, 10_000))


def counts(text: str) -> tuple[int, ...]:
    """Several of them, with commas between."""
    return tuple(count(number) for number in text.split(","))


def image_count(text: str) -> int:
    """A number of images, also as 1e9."""
    return int(_number(text, float, 1, 1e12))


def positive(text: str) -> float:
    """A number over 0."""
    return _number(text, float, 1e-6, 1e9)


def image_side(text: str) -> int:
    """Pixels along the longer side of an image."""
    return int(_number(text, int, 64, 8192))


def server(text: str) -> tuple[str, int]:
    """The address of a server, and its weight."""
    address, weight = weighted_address(text)
    try:
        return read_address(address), weight
    except ServerError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def seed(text: str) -> int:
    """A seed of 63 bits."""
    return int(_number(text, int, 0, 2**63 - 1))


def temperature(text: str) -> float:
    """A temperature; 0 is greedy."""
    return _number(text, float, 0, 100)


def top_k(text: str) -> int:
    """A number of tokens to choose among; 0 for all."""
    return int(_number(text, int, 0, 1000))


def repetition_penalty(text: str) -> float:
    """A factor; 1 changes nothing."""
    return _number(text, float, 0.5, 2)


def beams(text: str) -> int:
    """A number of beams; 1 is no beam search."""
    return int(_number(text, int, 1, 8))


def share(text: str) -> float:
    """A number over 0, up to 1."""
    share = _number(text, float, 0, 1)
    if share == 0:
        raise argparse.ArgumentTypeError("must be over 0")
    return share


def _number(text: str, kind: Callable[[str], float], least: float, most: float) -> float:
    try:
        number = kind(text)
    except ValueError:
        number = math.nan
    if not least <= number <= most:
        raise argparse.ArgumentTypeError(f"must be a number from {_shown(least)} to {_shown(most)}")
    return number


def _shown(number: float) -> str:
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def formats(text: str) -> tuple[CaptionFormat, ...]:
    """Formats of caption files and tables, with commas between."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names or set(names) - set(CaptionFormat):
        raise argparse.ArgumentTypeError(f"must be some of {', '.join(CaptionFormat)}")
    return tuple(map(CaptionFormat, names))


def written(text: str) -> tuple[CaptionFormat | Path, ...]:
    """Formats of caption files and tables, and tables whose rows are changed, with commas between.
    A table without a folder is looked for in the folders of the images."""
    names = [name.strip() for name in text.split(",") if name.strip()]
    found = [CaptionFormat(name) if name in set(CaptionFormat) else _table(name) for name in names]
    if not found:
        raise argparse.ArgumentTypeError(_NO_FORMAT)
    return tuple(found)


def _table(name: str) -> Path:
    path = Path(name)
    if path.suffix.lower() not in (".jsonl", ".csv"):
        raise argparse.ArgumentTypeError(_NO_FORMAT)
    return path if path.parent == Path() and not name.startswith(".") else path.absolute()


_NO_FORMAT = f"must be some of {', '.join(CaptionFormat)}, or tables such as metadata.jsonl"


def caption_source(text: str) -> CaptionFormat | str:
    """The format of files beside images, or the name of a table with captions."""
    if text in _FORMATS_BESIDE:
        return CaptionFormat(text)
    if "/" in text or "\\" in text or Path(text).suffix.lower() not in (".jsonl", ".csv"):
        raise argparse.ArgumentTypeError(
            f"must be one of {', '.join(_FORMATS_BESIDE)}, or the name of a table such as "
            "metadata.jsonl"
        )
    return text


def caption_sources(text: str) -> tuple[CaptionFormat, ...] | str:
    """Several formats with commas between, or the name of a table."""
    found = [caption_source(name.strip()) for name in text.split(",") if name.strip()]
    if len(found) == 1 and not isinstance(found[0], CaptionFormat):
        return found[0]
    formats = tuple(one for one in found if isinstance(one, CaptionFormat))
    if not formats or len(formats) < len(found):
        raise argparse.ArgumentTypeError("must be formats, or one table")
    return formats


_FORMATS_BESIDE = (*TEXT_FORMATS, CaptionFormat.XMP)


def existing(text: str) -> Existing:
    """What becomes of existing captions."""
    if text not in list(Existing):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(Existing)}")
    return Existing(text)


def separator(text: str) -> str:
    """A separator by its name, or the text itself."""
    return _SEPARATORS.get(text, text.replace("\\n", "\n").replace("\\t", "\t"))


def slots(text: str) -> int:
    """A number of slots."""
    if not text.isdecimal() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError("must be a number from 1 to 1024")
    return int(text)


def cards(text: str) -> tuple[str, ...]:
    """Devices by the numbers of graphics cards; () for all. Tests name processors too."""
    if text == "all":
        return ()
    names = [name.strip() for name in text.split(",")]
    numbers = [name for name in names if name != "cpu"]
    if not all(re.fullmatch(r"\d{1,3}", name) for name in numbers) or len(set(numbers)) < len(
        numbers
    ):
        raise argparse.ArgumentTypeError("must be all, or different numbers with commas between")
    return tuple(name if name == "cpu" else f"cuda:{int(name)}" for name in names)
