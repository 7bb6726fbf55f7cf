"""Which version of the program this is."""

from __future__ import annotations

from functools import cache
from importlib.metadata import PackageNotFoundError, version


@cache
def program_version() -> str:
    """Returns the version of the installed package; "" if the program is not installed."""
    try:
        return version("onlooker")
    except PackageNotFoundError:
        return ""
