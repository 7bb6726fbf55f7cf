"""A sentence with a count in it, in the singular or the plural."""

from __future__ import annotations


def counted(count: int, one: str, many: str) -> str:
    """Returns one of two texts, the second with `count` in the place of its field of this name.
    Other fields stay."""
    return one if count == 1 else many.replace("{count}", f"{count:,}")
