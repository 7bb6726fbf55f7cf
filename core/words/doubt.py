"""How doubtful each word of an answer is, from how the model came to say it.

A word is doubtful that surprised the model itself: that it would hardly have said, or wavered to
say. What the picture adds (`Word.gain`) was tried beside it and told nothing more.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from core.words.evidence import Word

# One weight for each of `signs`, and where doubt begins: such that 4 % of what is right in the
# built-in model's captions of crowded scenes and in captions with something wrong is in doubt, and
# 70 % of the model's own mistakes. `python tests/benchmarks/evidence.py --calibrate` fits them so.
# The weights come from 580 captions of seeds 11, 31, 32 and 41, the beginning from some 370 of
# seeds 13, 15 and 16. Left out, for they do not underline more mistakes: the surprise of what
# follows a word (0.935 for 0.922 under the curve of the model's own mistakes, but no more of them
# where 5 % of what is right is in doubt), entropy, the runner-up, the gain, earlier layers, how
# gathered the attention is, how much of it is the image's, the lens, maps that lie on each other.
WEIGHTS = (1.08, 3.8, 5.4)
BEGINS = 0.3

# The surprise, in nats, that nothing is below: a word as good as sure.
_FLOOR = 1e-3
# Very much surprise, and its logarithm: that of a word said with 4 %.
_CEILING = 1.2
# So few words tell nothing of what is usual.
_TOO_FEW = 4
# Counts and places are wrong more often than names, however sure a model is of them.
_NUMBERS = "two three four five six seven eight nine ten eleven twelve several"
_PLACES = """
left right top bottom middle center centre corner above below under behind beside between front
"""


def doubts(words: Sequence[Word], log_p: np.ndarray) -> list[float | None]:
    """From 0 to 1 for each word with content, None for the others.

    `log_p`, float32 (tokens,), is the log-probability of each token of the answer.
    """
    values = iter(1 / (1 + np.exp(-(signs(words, log_p) @ WEIGHTS - BEGINS))))
    return [float(next(values)) if word.is_content else None for word in words]


def signs(words: Sequence[Word], log_p: np.ndarray) -> np.ndarray:
    """float64 (words with content, 3): the log of the surprise, whether it counts, whether it
    places.

    The surprise of a word is that of its tokens and of the words before it that only join: in "on
    the left", "on" has said already that it is not the middle. A thing named again is as doubtful
    as it was. A large model is surprised by most of its words, because it knows other ways to say
    the same: what is usual in the answer counts as none, and what surprises very much as much as
    ever. The less lies between, the less a count or a place starts with.
    """
    surprises, counts, places = [], [], []
    named: dict[str, float] = {}
    joining = 0.0
    for word in words:
        surprise = -float(log_p[word.first_token : word.end_token].sum())
        if not word.is_content:
            # That a list goes on tells nothing of what comes next in it.
            joining += 0.0 if word.text.isdigit() else surprise
            continue
        text = word.text.lower()
        surprises.append(np.log(max(0.0, surprise + joining) + _FLOOR))
        counts.append(text in _NUMBERS.split() or text.isdigit())
        places.append(text in _PLACES.split())
        joining = 0.0
    count, none = len(surprises), np.log(_FLOOR)
    usual = sorted(surprises)[(count - 1) // 2] if surprises else none
    usual = none + (usual - none) * max(0.0, 1 - _TOO_FEW / max(1, count))
    room = (_CEILING - min(usual, _CEILING - 1.0)) / (_CEILING - none)
    content = [word for word in words if word.is_content]
    for number, (word, is_count, is_place) in enumerate(zip(content, counts, places, strict=True)):
        if not (is_count or is_place):
            name = word.text.lower().removesuffix("s")
            named[name] = surprises[number] = max(surprises[number], named.get(name, -np.inf))
    stretched = _CEILING - (_CEILING - np.array(surprises)) / room
    rooms = [np.array(counts) * room, np.array(places) * room]
    return np.array([stretched, *rooms], float).T.reshape(-1, 3)
