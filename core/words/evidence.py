"""What each word of an answer is based on, as data: computed by `core.llava.evidence` or given by a
server, shown by the window.

Every class is frozen and holds neither torch nor Qt objects, so its objects may cross threads.
Nothing here measures truth: it says what influenced the model, and where it nearly chose another
word.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture."""

DOUBTFUL = 0.5
VERY_DOUBTFUL = 0.9
"""The least `Word.doubt` of a word that is underlined, and of one underlined more strongly."""


@dataclass(frozen=True)
class Candidate:
    """A token that the model could have generated, and its probability at temperature 1.

    `text` is as much of a word as the token holds: "balloon", or "ball" where that is one token.
    """

    text: str
    probability: float


@dataclass(frozen=True)
class Presence:
    """The model's answer to the question whether a thing is in the picture.

    `log_odds` is log p(yes) − log p(no), in nats; `absent_log_odds` is the median of the same for
    things that are certainly not in the picture.
    """

    question: str
    log_odds: float
    absent_log_odds: float

    @property
    def margin(self) -> float:
        """How much higher the log odds are than for absent things, in nats."""
        return self.log_odds - self.absent_log_odds

    @property
    def is_affirmed(self) -> bool:
        """Whether yes is likelier than no, and likelier than for absent things."""
        return self.log_odds > 0 and self.margin > 0


@dataclass(frozen=True)
class Word:
    """One word of an answer: `Answer.text[begin:end]`, `output_ids[first_token:end_token]`.

    `probability` is the joint probability of its tokens, at temperature 1. `candidates` are the
    likeliest first tokens at its position, likeliest first; the generated one is among them if it
    is one of the likeliest. `gain` is log p(word | picture, text so far) − log p(word | plain
    picture of the pad colour, text so far), in nats: 0 where the text alone would have led to the
    word; None if it was not measured. `doubt`, from 0 to 1, grows with the chance that the named
    thing is not in the picture; it ranks words and is not a probability. It is None for function
    words, for which `is_content` is False. `presence` is None until the model was asked about the
    word.
    """

    begin: int
    end: int
    text: str
    first_token: int
    end_token: int
    probability: float
    candidates: tuple[Candidate, ...]
    gain: float | None
    doubt: float | None
    is_content: bool
    presence: Presence | None = None

    @property
    def doubt_step(self) -> int:
        """0 if the word is not doubtful, 1 if it is doubtful, 2 if it is very doubtful."""
        if self.doubt is None or self.doubt < DOUBTFUL:
            return 0
        return 2 if self.doubt >= VERY_DOUBTFUL else 1


@dataclass(frozen=True)
class TokenEvidence:
    """One token of an answer: `Answer.text[begin:end]`, where characters of several tokens belong
    to the first.

    `log_p` is its log probability in nats, at temperature 1; `log_p_without_picture` the same with
    a plain picture of the pad colour in the picture's place. A server says neither this nor `id`,
    which are None then. `likeliest` are the text and the log probability of the likeliest tokens
    here, likeliest first.
    """

    id: int | None
    begin: int
    end: int
    log_p: float
    log_p_without_picture: float | None
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Evidence:
    """The words and the tokens of one answer in order; computing them took `seconds`."""

    words: tuple[Word, ...]
    seconds: float
    tokens: tuple[TokenEvidence, ...] = ()

    @property
    def most_doubtful(self) -> Word | None:
        """The content word with the highest doubt; None if there is no content word."""
        content = [word for word in self.words if word.doubt is not None]
        return max(content, key=lambda word: word.doubt or 0.0, default=None)

    def word_at(self, offset: int) -> Word | None:
        """Returns the word that character `offset` of the answer's text belongs to, if any."""
        return next((word for word in self.words if word.begin <= offset < word.end), None)


@dataclass(frozen=True, eq=False)
class WordMap:
    """Which regions of the picture a word is based on.

    `values` are float32 (rows, columns), one per patch of the model's input, scaled so that the
    highest is 1. They cover `square`, the padded square in pixels of the picture, whose edges may
    be outside the picture. `strongest_box` encloses the region around the maximum, clipped to the
    picture. Computing the map took `seconds`.
    """

    values: np.ndarray
    square: Box
    strongest_box: Box
    seconds: float = 0.0


def strongest_region(values: np.ndarray, share: float = 0.5) -> tuple[int, int, int, int]:
    """Returns the bounding box of the region around the maximum of a map.

    The region is what is connected to the maximum, side by side, and at least `share` of it. The
    box is (first column, first row, end column, end row), ends exclusive.
    """
    is_strong = values >= share * values.max()
    row, column = divmod(int(values.argmax()), values.shape[1])
    waiting, region = [(row, column)], {(row, column)}
    while waiting:
        row, column = waiting.pop()
        for cell in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            is_inside = 0 <= cell[0] < values.shape[0] and 0 <= cell[1] < values.shape[1]
            if is_inside and cell not in region and is_strong[cell]:
                region.add(cell)
                waiting.append(cell)
    rows, columns = [r for r, _ in region], [c for _, c in region]
    return min(columns), min(rows), max(columns) + 1, max(rows) + 1
