"""What each word of an answer rests on, as data: made by `core/evidence.py`, shown by the window.

Everything here is frozen and free of torch and Qt, so that it may cross threads. None of it is a
measure of truth: it says what the model leaned on, and where it wavered.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in the picture's own pixels."""

DOUBTFUL = 0.5
VERY_DOUBTFUL = 0.9
"""From which `Word.doubt` on a word is underlined, and underlined more strongly."""


@dataclass(frozen=True)
class Candidate:
    """What could have been said. `probability` is the model's own, at temperature 1.

    `text` is as much of a word as its token holds: "balloon", or "ball" where that is one piece.
    """

    text: str
    probability: float


@dataclass(frozen=True)
class Presence:
    """What the model says when it is asked whether a thing is there.

    `log_odds` is log p(yes) − log p(no), in nats; `absent_log_odds` is the same for things that
    are surely not there, their median.
    """

    question: str
    log_odds: float
    absent_log_odds: float

    @property
    def margin(self) -> float:
        """How much more it says yes than of absent things, in nats."""
        return self.log_odds - self.absent_log_odds

    @property
    def is_affirmed(self) -> bool:
        """Whether yes is likelier than no, and likelier than for absent things."""
        return self.log_odds > 0 and self.margin > 0


@dataclass(frozen=True)
class Word:
    """One word of `Answer.text[begin:end]`, said with `output_ids[first_token:end_token]`.

    `probability` is that of its tokens together, each after those before it, at temperature 1.
    `candidates` are the likeliest beginnings in its place, likeliest first, the one said among
    them if it is one of these. `gain` is log p(word | picture, text so far) − log p(word | the
    text so far with a plain picture of the pad colour), in nats: 0 where language alone would
    have said it. `doubt`, from 0 to 1, grows with how likely the thing is not there; it orders
    words and is no percentage; None for function words, which `is_content` tells apart.
    `presence` is None until the model was asked.
    """

    begin: int
    end: int
    text: str
    first_token: int
    end_token: int
    probability: float
    candidates: tuple[Candidate, ...]
    gain: float
    doubt: float | None
    is_content: bool
    presence: Presence | None = None

    @property
    def doubt_step(self) -> int:
        """0 not doubtful, 1 doubtful, 2 very doubtful."""
        if self.doubt is None or self.doubt < DOUBTFUL:
            return 0
        return 2 if self.doubt >= VERY_DOUBTFUL else 1


@dataclass(frozen=True)
class Evidence:
    """The words of one answer in the order they were said; `seconds` is what it took."""

    words: tuple[Word, ...]
    seconds: float

    @property
    def most_doubtful(self) -> Word | None:
        """The content word most in doubt; None where there is none."""
        content = [word for word in self.words if word.doubt is not None]
        return max(content, key=lambda word: word.doubt or 0.0, default=None)

    def word_at(self, offset: int) -> Word | None:
        """The word that character `offset` of the answer's text belongs to."""
        return next((word for word in self.words if word.begin <= offset < word.end), None)


@dataclass(frozen=True, eq=False)
class WordMap:
    """Where on the picture a word rests.

    `values` are float32 (rows, columns), one a patch that the model sees, from 0 to 1 for the
    strongest. They cover `square`: the padded square in the picture's own pixels, of which the
    edges may lie outside the picture. `strongest_box` is the region round the maximum, cut to
    the picture.
    """

    values: np.ndarray
    square: Box
    strongest_box: Box
    seconds: float = 0.0
