"""The HTTP library that huggingface_hub brings: httpx with its version 1.x, httpx2 with 2.x."""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any


@cache
def http_library() -> Any:
    """Returns the module httpx or httpx2, whose clients are alike."""
    return import_module(connection_failures().__module__.partition(".")[0])


@cache
def connection_failures() -> type[Exception]:
    """Returns what its clients raise when the network fails.

    huggingface_hub's own error is the first child of either library's.
    """
    from huggingface_hub.errors import HfHubHTTPError

    return HfHubHTTPError.__bases__[0]
