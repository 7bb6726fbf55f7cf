"""`onlooker plan`: hours, bandwidth, storage and cost of captioning very many images.

Every figure is one that was measured, and is printed with its source, or one that the user gives.
Nothing is opened or asked for: it is arithmetic.
"""

from __future__ import annotations

import argparse
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import ceil

from core.formatting import format_bytes, format_duration
from core.terminal.output import ALL_WELL, as_json, is_ascii
from core.terminal.values import counts, image_count, positive

_CARDS = (1, 2, 4, 8, 32, 128, 512)


@dataclass(frozen=True)
class Figure:
    """A measured figure, and where it comes from."""

    value: float
    source: str


CAPTIONS_PER_CARD = Figure(
    41.7,
    "captions/s of 64 tokens on one H200, as a folder run of 1,600 images of 0.3 to 12 megapixels: "
    "LLaVA-1.5-7b's sizes with random weights, 16 bits, 64 at once; in FP8 58.0, and 115.6 on two "
    "cards (README, How fast)",
)
OPENING_SECONDS = Figure(
    0.041,
    "seconds of one processor core to open a JPEG of 2 megapixels and scale it for the model "
    "(2026-11-29, one core of an Intel Xeon beside other programs); 12 megapixels take 0.26 s, 0.2 "
    "megapixels 0.011 s",
)
JOURNAL_BYTES = Figure(
    1_140, "bytes an image in a run's journal (a run over 12 images, text files and JSON lines)"
)
TABLE_BYTES = Figure(
    580, "bytes an image in a JSON lines table, with a caption of 30 tokens (the same run)"
)


@dataclass(frozen=True)
class Job:
    """What is to be captioned, and on what. `price` is that of one card for an hour, if known."""

    images: int
    megabytes: float
    captions_per_second: float = CAPTIONS_PER_CARD.value
    share_of_linear: float = 1.0
    price: float | None = None


@dataclass(frozen=True)
class Row:
    """What so many cards take. Bandwidth is what the images are read at, in bytes a second."""

    cards: int
    captions_per_second: float
    seconds: float
    bytes_per_second: float
    cores: int
    card_hours: float
    cost: float | None


def row(job: Job, cards: int) -> Row:
    """Returns what `cards` cards take for the job."""
    rate = job.captions_per_second * (cards if cards == 1 else cards * job.share_of_linear)
    seconds = job.images / rate
    card_hours = cards * seconds / 3600
    return Row(
        cards=cards,
        captions_per_second=rate,
        seconds=seconds,
        bytes_per_second=rate * job.megabytes * 1e6,
        cores=ceil(rate * OPENING_SECONDS.value),
        card_hours=card_hours,
        cost=None if job.price is None else card_hours * job.price,
    )


def advice(job: Job) -> str:
    """Returns which way suits so many images, by the time that one card takes."""
    days = job.images / job.captions_per_second / 86_400
    if days <= 2:
        way = "One machine: onlooker caption FOLDER --write jsonl, on all its cards."
    elif days <= 30:
        way = (
            "One machine with several cards: onlooker caption FOLDER --write jsonl, one folder of "
            "some 100,000 images after the other; or vLLM on one host."
        )
    else:
        way = (
            "Many machines: Ray Data's batch inference over Parquet or WebDataset. A folder run "
            "keeps one journal on one machine, and is not meant for this."
        )
    return f"{way} packaging/cluster/README.md explains the choices."


def add_verb(add_parser: Callable[..., argparse.ArgumentParser]) -> None:
    """Adds `onlooker plan` and its options."""
    parser = add_parser(
        "plan",
        help="estimate the time and cost of captioning very many images",
        description="Estimate hours, bandwidth, storage and cost of captioning very many images, "
        "from measured figures and the prices you give.",
    )
    add = parser.add_argument
    add("--images", required=True, type=image_count, metavar="N", help="such as 1000000 or 1e6")
    add("--megabytes", default=0.65, type=positive, metavar="MB",
        help="size of an image file (default: 0.65, a JPEG of 2 megapixels)")  # fmt: skip
    add("--cards", default=_CARDS, type=counts, metavar="N,N", help="numbers of graphics cards")
    add("--captions-per-second", default=CAPTIONS_PER_CARD.value, type=positive, metavar="N",
        help="of one card, as onlooker bench measures (default: %(default)s)")  # fmt: skip
    add("--share-of-linear", default=1.0, type=positive, metavar="SHARE",
        help="speed of each of several cards, one alone being 1 (default: 1)")  # fmt: skip
    add("--price-per-card-hour", type=positive, metavar="PRICE",
        help="in any currency; without it, no cost is printed")  # fmt: skip
    add("--json", action="store_true", help="print JSON instead of a table")


def run(
    arguments: argparse.Namespace, stop: threading.Event, print_line: Callable[[str], None]
) -> int:
    """Prints the plan; returns the exit status."""
    job = Job(
        arguments.images,
        arguments.megabytes,
        arguments.captions_per_second,
        arguments.share_of_linear,
        arguments.price_per_card_hour,
    )
    rows = [row(job, cards) for cards in arguments.cards]
    if arguments.json:
        content = {
            "job": asdict(job),
            "rows": [asdict(one) for one in rows],
            "storage": _storage(job),
            "advice": advice(job),
            "sources": [figure.source for figure in _used(job)],
        }
        print_line(as_json(content, indent=1, is_ascii=is_ascii()))
    else:
        print_line(table(job, rows))
    return ALL_WELL


def table(job: Job, rows: Sequence[Row]) -> str:
    """Returns the plan for a person to read."""
    storage = _storage(job)
    head = (
        f"{'cards':>6}{'captions/s':>12}{'time':>24}{'reading':>12}{'cores':>7}{'card hours':>12}"
    )
    lines = [
        f"{job.images:,} images of {job.megabytes:g} MB: {_size(storage['images'])} to read, "
        f"{_size(storage['table'])} of captions as JSON lines and {_size(storage['journals'])} of "
        "journals to write.",
        "",
        head + (f"{'cost':>14}" if job.price else ""),
    ]
    for one in rows:
        cost = "" if one.cost is None else f"{one.cost:>14,.0f}"
        lines.append(
            f"{one.cards:>6}{one.captions_per_second:>12,.0f}{_time(one.seconds):>24}"
            f"{format_bytes(round(one.bytes_per_second)) + '/s':>12}{one.cores:>7,}"
            f"{one.card_hours:>12,.0f}{cost}"
        )
    lines += ["", advice(job), "", "The figures behind this:"]
    lines += [f"- {figure.value:g}: {figure.source}" for figure in _used(job)]
    if job.captions_per_second != CAPTIONS_PER_CARD.value:
        lines.append(f"- {job.captions_per_second:g} captions/s of one card: yours")
    if job.share_of_linear == 1.0:
        lines.append("- Several cards are taken to be as fast each as one alone.")
    return "\n".join(lines)


def _used(job: Job) -> list[Figure]:
    """Returns the measured figures that the plan rests on."""
    figures = [OPENING_SECONDS, JOURNAL_BYTES, TABLE_BYTES]
    is_measured = job.captions_per_second == CAPTIONS_PER_CARD.value
    return [CAPTIONS_PER_CARD, *figures] if is_measured else figures


def _storage(job: Job) -> dict[str, int]:
    """Returns bytes, by what they are for."""
    return {
        "images": round(job.images * job.megabytes * 1e6),
        "table": round(job.images * TABLE_BYTES.value),
        "journals": round(job.images * JOURNAL_BYTES.value),
    }


def _size(size: int) -> str:
    return f"{size / 1e12:,.1f} TB" if size >= 1e12 else format_bytes(size)


def _time(seconds: float) -> str:
    return f"{seconds / 86_400:,.0f} days" if seconds > 3 * 86_400 else format_duration(seconds)
