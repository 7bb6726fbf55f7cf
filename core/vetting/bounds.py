"""Bounds of a tokenizer, in which some text that no trial happens to use could do harm.

Each is far above what published tokenizers have.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from tokenizers import Tokenizer

from core.message import translatable

MOST_TOKENS = 2_000_000
_MOST_ADDED = 100_000
_LONGEST_TOKEN = 5_000
_MOST_SPECIAL = 1_000
_LONGEST_CONTENT = 1_000
_LARGEST_GROWTH = 64.0


def pieces_problem(pieces: Sequence[str]) -> str:
    """As `tokenizer_problem`, of the tokens as the vocabulary writes them."""
    if len(pieces) > MOST_TOKENS:
        return translatable("core", "it has more than {count} tokens").format(
            count=f"{MOST_TOKENS:,}"
        )
    longest = max(map(len, pieces), default=0)
    return (
        translatable("core", "it has a token of {count} letters").format(count=f"{longest:,}")
        if longest > _LONGEST_TOKEN
        else ""
    )


def tokenizer_problem(tokenizer: Tokenizer) -> str:
    """Returns what a tokenizer does that none needs to, as the end of a sentence, or ""."""
    count = min(tokenizer.get_vocab_size(), MOST_TOKENS + 1)
    if problem := pieces_problem([tokenizer.id_to_token(n) or "" for n in range(count)]):
        return problem
    added = len(tokenizer.get_added_tokens_decoder())
    if added > _MOST_ADDED:
        return translatable("core", "it has {count} added tokens").format(count=f"{added:,}")
    for part in (tokenizer.normalizer, tokenizer.decoder, tokenizer.post_processor):
        if part is not None and (problem := _growth_problem(json.loads(part.__getstate__()))):
            return problem
    return ""


def _growth_problem(state: Any) -> str:
    """Whether the steps of a normalizer or decoder, one after the other, grow any text too much."""
    growth = 1.0
    for step in _steps(state):
        content = step.get("content", step.get("prepend", ""))
        if isinstance(content, str):
            if len(content) > _LONGEST_CONTENT:
                return translatable("core", "it replaces a few letters with {count}").format(
                    count=f"{len(content):,}"
                )
            pattern = step.get("pattern")
            replaced = pattern.get("String", "") if isinstance(pattern, dict) else ""
            if step.get("type") == "Replace":
                growth *= max(1.0, len(content) / max(1, len(replaced)))
        special = step.get("single")
        if isinstance(special, list) and len(special) > _MOST_SPECIAL:
            return translatable("core", "it puts {count} tokens around each text").format(
                count=f"{len(special):,}"
            )
    return (
        translatable("core", "it makes a text {count} times as long").format(count=f"{growth:,.0f}")
        if growth > _LARGEST_GROWTH
        else ""
    )


def _steps(state: Any) -> Iterator[dict[str, Any]]:
    left = [state]
    while left:
        this = left.pop()
        if isinstance(this, dict):
            yield this
            left += this.values()
        elif isinstance(this, list):
            left += this
