"""Numbers with their units as text, in their order in every layout.

In a window that is laid out from the right, “640 × 480” would be shown as “480 × 640”, and “3.2 MB”
as “MB 3.2”, if they were not laid out on their own.
"""

from __future__ import annotations

from core.formatting import format_bytes, format_rate
from gui.widgets.text_direction import in_own_order


def bytes_text(size: int) -> str:
    """Returns "4.1 GB" for 4,083,000,000 bytes."""
    return in_own_order(format_bytes(size))


def bytes_rate_text(bytes_per_second: float) -> str:
    """Returns "12.5 MB/s" for 12,500,000 bytes per second."""
    return in_own_order(format_rate(bytes_per_second))


def sides_text(*numbers: float | str) -> str:
    """Returns "640 × 480", of a picture or any array; what is a text already is not rounded."""
    return in_own_order(" × ".join(map(str, numbers)))
