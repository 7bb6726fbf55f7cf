"""How sure a model on a server was of each token, where its server says so: read and understood."""

from __future__ import annotations

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from core.errors import EngineError, PromptError
from core.message import translatable
from core.transcript import Answer, TokenScore
from core.words import (
    Candidate,
    Evidence,
    Presence,
    TokenEvidence,
    Word,
    absent_questions,
    joined_candidates,
    judged_words,
    question_about,
)

WANTED: Mapping[str, Any] = {"logprobs": True, "top_logprobs": 5}
"""The fields of a request that ask for them. OpenAI allows 20 and some servers 5."""

WANTED_IN_A_RUN: Mapping[str, Any] = {"logprobs": True}
"""The same without the tokens that the model could have generated: a run keeps none of them."""

YES_OR_NO_TOKENS = 4
"""So long is an answer of which only yes or no counts: some models begin with a blank."""

_MOST_SCORES = 100_000
# A special token between two others stands in no text, and a sign may be lost in one of them.
_LONGEST_GAP = 16


def scores_in(choice: Mapping[str, Any]) -> list[TokenScore]:
    """Returns the tokens of a chunk; [] if there are none, or they are not as OpenAI has them."""
    try:
        content = (choice.get("logprobs") or {}).get("content") or []
        return [_score(one) for one in content[:_MOST_SCORES]]
    except (AttributeError, KeyError, TypeError, ValueError, OverflowError):
        return []


def _score(one: Mapping[str, Any]) -> TokenScore:
    content = one.get("bytes")
    likeliest = [(_plain(str(top["token"])), _log_p(top)) for top in one.get("top_logprobs") or []]
    return TokenScore(
        _plain(str(one["token"])).encode(errors="replace") if content is None else bytes(content),
        _log_p(one),
        tuple(sorted(likeliest, key=lambda found: -found[1])),
    )


def _log_p(one: Mapping[str, Any]) -> float:
    """Raises ValueError for what is no logarithm of a probability."""
    value = float(one["logprob"])
    if not (math.isfinite(value) and value < 0.01):
        raise ValueError(value)
    return min(0.0, value)


def _plain(token: str) -> str:
    """Returns a token's text where a server gives it as it stands in the vocabulary."""
    return token.replace("▁", " ").replace("Ġ", " ")


def evidence_of(answer: Answer) -> Evidence:
    """Returns how sure the model was of each word. Raises EngineError if its server did not say."""
    # It takes a tenth of a second to import, which the window's start would wait for.
    import numpy as np

    spans = _spans(answer.text, answer.scores)
    log_p = np.array([score.log_p for score in answer.scores], np.float32)
    words = judged_words(
        answer.text, spans, log_p, lambda token: _candidates(answer.scores, token), _no_gain
    )
    if not answer.scores or any(word.first_token == word.end_token for word in words):
        raise EngineError(
            translatable(
                "core",
                "The server did not say how sure its model was of this answer. Regenerate it to "
                "see that.",
            )
        )
    tokens = (
        TokenEvidence(None, *span, score.log_p, None)
        for span, score in zip(spans, answer.scores, strict=True)
    )
    return Evidence(words, 0.0, tuple(tokens))


def _candidates(scores: Sequence[TokenScore], token: int) -> tuple[Candidate, ...]:
    if token >= len(scores):
        return ()
    return joined_candidates((text, math.exp(log_p)) for text, log_p in scores[token].likeliest)


def _no_gain(tokens: slice) -> None:
    """What the picture adds cannot be known without a second question, of which no server tells the
    probabilities of a given text."""


def _spans(text: str, scores: Sequence[TokenScore]) -> list[tuple[int, int]]:
    """Returns the [begin, end) of `text` that each token stands for; empty where it is none of it.

    Tokens are parts of characters at times, so that they are compared as bytes. The blanks around
    them are left out: servers add, drop and move them.
    """
    data = text.encode(errors="replace")
    characters = [at for at, sign in enumerate(text) for _ in sign.encode(errors="replace")]
    spans, end = list[tuple[int, int]](), 0
    for score in scores:
        content = score.content.strip()
        begin = data.find(content, end, end + len(content) + _LONGEST_GAP) if content else -1
        if begin < 0:
            at = characters[end] if end < len(data) else len(text)
            spans.append((at, at))
            continue
        end = begin + len(content)
        spans.append((characters[begin], characters[end - 1] + 1))
    return spans


# ---- whether a thing is there


def presence_questions(answer: Answer, word: Word) -> list[str]:
    """Returns the question whether the thing is there that a word names, and the same about things
    that surely are not. Raises PromptError if the word names no thing."""
    question = question_about(answer.text, word)
    if question is None:
        text = translatable("core", "“{word}” names nothing to look for. Choose another word.")
        raise PromptError(text.format(word=word.text))
    return [question, *absent_questions(answer.text)]


def presence(questions: Sequence[str], answers: Sequence[Answer]) -> Presence:
    """Returns what the answers to `presence_questions` say. Raises EngineError if they do not."""
    odds = [_yes_over_no(answer) for answer in answers]
    return Presence(questions[0], odds[0], statistics.median(odds[1:]))


def _yes_over_no(answer: Answer) -> float:
    """Returns log p(yes) − log p(no). Of one that is not among the likeliest tokens, the
    probability is taken as that of the last of them, which it cannot exceed."""
    for score in answer.scores:
        if not score.content.strip():
            continue
        found = {"yes": list[float](), "no": list[float]()}
        for text, log_p in score.likeliest:
            found.get(text.strip().lower(), []).append(log_p)
        if not (found["yes"] or found["no"]):
            break
        least = min(log_p for _, log_p in score.likeliest)
        yes, no = (_log_of_sum(one) if one else least for one in found.values())
        return yes - no
    raise EngineError(
        translatable("core", "The model answers such questions with neither yes nor no.")
    )


def _log_of_sum(log_p: Sequence[float]) -> float:
    """The logarithm of the sum of probabilities."""
    most = max(log_p)
    return most + math.log(sum(math.exp(one - most) for one in log_p))
