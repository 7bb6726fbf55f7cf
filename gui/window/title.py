"""What the title bar says."""

from __future__ import annotations


def window_title(picture_name: str, run_done: float | None) -> str:
    """Return the title with a picture, "" for none, and the part of a folder run that is done.

    `run_done` is a fraction, None for no run.
    """
    done = "" if run_done is None else f"{int(100 * run_done)} % — "
    name = f"{picture_name} — " if picture_name else ""
    return f"{done}{name}Onlooker"
