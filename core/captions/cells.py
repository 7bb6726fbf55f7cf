"""Values in the cells of CSV files: no spreadsheet takes them for a formula."""

from __future__ import annotations

import json
import re
from typing import Any, cast

_FORMULA = re.compile(r"'* *[=+\-@\t\r\n|%]")


def cell(value: Any) -> str:
    """Returns a value as text that no spreadsheet takes for a formula: a model's words must not
    be executed."""
    if value is None:
        return ""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, list):
        value = " ".join(map(str, cast("list[Any]", value)))
    text = json.dumps(value) if isinstance(value, dict | bool) else str(value)
    return f"'{text}" if _FORMULA.match(text) else text


def text_in(content: str) -> str:
    """Returns the text that `cell` was given."""
    return content[1:] if content.startswith("'") and _FORMULA.match(content) else content
