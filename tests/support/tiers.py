"""Which of a test's parameters run in the slow tier alone."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

import pytest


def slowly(*values: Any) -> Any:
    """A set of parameters for the slow tier."""
    return pytest.param(*values, marks=pytest.mark.slow)


def mostly_slow(values: Iterable[Any], sample: Collection[Any]) -> list[Any]:
    """All values; those that are not in the sample run in the slow tier."""
    return [value if value in sample else slowly(value) for value in values]
