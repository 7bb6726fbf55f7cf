"""Durations, sizes and rates as text for people."""

from __future__ import annotations

from core.message import Message, translatable


def format_duration(seconds: float) -> Message:
    """Returns "about 5 min" for 290 seconds: no more precise than an estimate can be."""
    if seconds < 45:
        return translatable("core", "less than a minute")
    minutes = round(seconds / 60)
    if minutes < 60:
        minutes = minutes if minutes < 10 else 5 * round(minutes / 5)
        return translatable("core", "about {minutes} min").format(minutes=minutes)
    hours, rest = divmod(15 * round(seconds / 900), 60)
    if rest and hours < 10:
        return translatable("core", "about {hours} h {minutes} min").format(
            hours=hours, minutes=rest
        )
    return translatable("core", "about {hours} h").format(hours=hours)


def format_bytes(size: int) -> str:
    """Returns "4.1 GB" for 4,083,000,000 bytes; units are decimal, from kB to GB."""
    for unit, name, digits in ((1e9, "GB", 1), (1e6, "MB", 0)):
        if size >= unit:
            return f"{size / unit:.{digits}f} {name}"
    return f"{size / 1e3:.0f} kB"


def format_rate(bytes_per_second: float) -> str:
    """Returns "12.5 MB/s" for 12,500,000 bytes per second."""
    return f"{bytes_per_second / 1e6:.1f} MB/s"
