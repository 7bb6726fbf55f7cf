"""How doubtful each word of an answer is, from the probabilities the model generated it with.

A word is doubtful if the model gave it a low probability or nearly chose another. The influence of
the picture on the word (`Word.gain`) was tried as a further feature and added nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, log
from typing import TYPE_CHECKING

from core.words.evidence import Word

if TYPE_CHECKING:
    # It takes a tenth of a second to import, which the window's start would wait for.
    import numpy as np

# One weight per column of `features`, and the weighted sum at which doubt is 0.5. They are fitted
# so that 4 % of the correct claims are in doubt in two kinds of captions (the built-in model's own
# of crowded scenes, and true ones with one claim made wrong), and 70 % of the model's own errors;
# `python tests/benchmarks/evidence.py --calibrate` fits them. The weights come from 580 captions
# of seeds 11, 31, 32 and 41, the threshold from some 370 of seeds 13, 15 and 16. Some features are
# left out because they do not bring more errors into doubt: the surprise of what follows a word
# (with it the area under the curve for the model's own errors is 0.935 instead of 0.922, but no
# more of them are found where 5 % of the correct claims are in doubt), entropy, the runner-up, the
# gain, earlier layers, how concentrated the attention is, how much of it goes to the image, the
# logit lens, and attention maps that overlap.
WEIGHTS = (1.08, 3.8, 5.4)
THRESHOLD = 0.3

# Surprise in nats that is added before the logarithm: below it, words are equally certain.
_FLOOR = 1e-3
# The logarithm of a very large surprise: that of a word with a probability of 4 %.
_CEILING = 1.2
# So few words do not show what is usual in an answer.
_TOO_FEW = 4
# Counts and positions are wrong more often than names, however certain a model is of them.
_NUMBERS = "two three four five six seven eight nine ten eleven twelve several"
_POSITIONS = """
left right top bottom middle center centre corner above below under behind beside between front
"""


def doubts(words: Sequence[Word], log_p: np.ndarray) -> list[float | None]:
    """Returns a doubt from 0 to 1 for each content word, None for each function word.

    `log_p`, float32 (tokens,), is the log-probability of each token of the answer.
    """
    import numpy as np

    found = iter(1 / (1 + np.exp(-(features(words, log_p) @ WEIGHTS - THRESHOLD))))
    return [float(next(found)) if word.is_content else None for word in words]


def features(words: Sequence[Word], log_p: np.ndarray) -> np.ndarray:
    """Returns float64 (content words, 3): the log of the surprise, whether the word is a count,
    and whether it is a position.

    A large model is surprised by most of its words, because it knows other ways to say the same.
    So the surprise that is usual in the answer counts as none, while a very large surprise counts
    in full. The narrower the range between the two, the less a count or a position adds.
    """
    import numpy as np

    content = [word for word in words if word.is_content]
    texts = [word.text.lower() for word in content]
    is_count = [text in _NUMBERS.split() or text.isdigit() for text in texts]
    is_position = [text in _POSITIONS.split() for text in texts]
    surprises = _log_surprises(words, log_p)
    usual = _usual(surprises)
    none = log(_FLOOR)
    scale = (_CEILING - min(usual, _CEILING - 1.0)) / (_CEILING - none)
    highest: dict[str, float] = {}
    for number, text in enumerate(texts):
        if not (is_count[number] or is_position[number]):
            # A thing that is named again is as doubtful as it was.
            name = text.removesuffix("s")
            highest[name] = max(surprises[number], highest.get(name, -inf))
            surprises[number] = highest[name]
    stretched = _CEILING - (_CEILING - np.array(surprises)) / scale
    columns = [stretched, np.array(is_count) * scale, np.array(is_position) * scale]
    return np.array(columns, float).T.reshape(-1, 3)


def _log_surprises(words: Sequence[Word], log_p: np.ndarray) -> list[float]:
    """Returns the log of the surprise, in nats, of each content word.

    It includes the surprise of the function words just before: in "on the left", "on" has already
    ruled out the middle.
    """
    surprises: list[float] = []
    pending = 0.0
    for word in words:
        surprise = -float(log_p[word.first_token : word.end_token].sum())
        if word.is_content:
            surprises.append(log(max(0.0, surprise + pending) + _FLOOR))
            pending = 0.0
        elif not word.text.isdigit():
            # The number of a list item says nothing about the item itself.
            pending += surprise
    return surprises


def _usual(surprises: Sequence[float]) -> float:
    """Returns the median of the log surprises, closer to none the fewer there are."""
    none = log(_FLOOR)
    if not surprises:
        return none
    median = sorted(surprises)[(len(surprises) - 1) // 2]
    return none + (median - none) * max(0.0, 1 - _TOO_FEW / len(surprises))
