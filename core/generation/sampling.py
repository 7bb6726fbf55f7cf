"""How a `Sampling` is passed to transformers: settings, logits processors, random numbers."""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from transformers import (
    GenerationConfig,
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
)

from core.generation.failure import broken_numbers
from core.transcript import Sampling


def generation_config(
    sampling: Sampling,
    *,
    max_new_tokens: int,
    end_ids: Collection[int],
    pad_id: int | None,
    begin_id: int | None = None,
) -> GenerationConfig:
    """Returns the settings of one `generate()`, those of the logits processors excepted."""
    choice: dict[str, Any] = {"do_sample": False}
    if sampling.temperature > 0:
        choice = {
            "do_sample": True,
            "temperature": sampling.temperature,
            "top_p": sampling.top_p,
            "top_k": sampling.top_k,
        }
    return GenerationConfig(
        max_new_tokens=max_new_tokens,
        num_beams=sampling.beams,
        bos_token_id=begin_id,
        eos_token_id=sorted(end_ids) or None,
        pad_token_id=pad_id,
        use_cache=True,
        **choice,
    )


class FiniteScores(LogitsProcessor):
    """Looks whether the scores of one `generate()` are finite.

    Notes on the device what it sees, without waiting for it, and hides it from the drawing of
    random numbers, which would fail over it.
    """

    def __init__(self) -> None:
        self._is_broken: torch.Tensor | None = None

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> Any:
        """Returns `scores` (rows, vocabulary), with zeros in broken rows."""
        # -inf is what other processors write over words that may not be said.
        is_broken = ~(scores.amax(-1, keepdim=True) < torch.inf)
        self._is_broken = is_broken.any()
        return scores.masked_fill(is_broken, 0.0)

    def check(self) -> None:
        """Raises EngineError if the last scores were not finite; waits for the device."""
        if self._is_broken is not None and self._is_broken:
            raise broken_numbers()


def logits_processors(
    sampling: Sampling,
    banned: LogitsProcessor | None,
    finite: FiniteScores,
    prompt_length: int = 0,
) -> LogitsProcessorList:
    """Returns the processors that look at the scores, and at the answer's earlier ids.

    The first `prompt_length` of the ids that `generate()` shows them are the prompt's: only what
    stands in the answer is a repetition, as in the original LLaVA. With embeddings as input there
    are none.
    """
    processors = LogitsProcessorList([finite])
    if sampling.repetition_penalty != 1:
        # Passed here and not in the settings, it causes no warning with embeddings as input.
        processors.append(
            RepetitionPenaltyLogitsProcessor(
                sampling.repetition_penalty, prompt_ignore_length=prompt_length or None
            )
        )
    if banned is not None:
        processors.append(banned)
    return processors


def seed_of(sampling: Sampling) -> int | None:
    """Returns the seed to use, a new one if none is given; None if the answer is greedy."""
    if sampling.temperature <= 0:
        return None
    return secrets.randbits(31) if sampling.seed is None else sampling.seed


@contextmanager
def seeded(seed: int | None, device: torch.device) -> Iterator[None]:
    """Uses the random numbers of `seed` within, and restores the generators' state after it.

    `generate()` draws from the generators of the whole process, and accepts no other.
    """
    if seed is None:
        yield
        return
    with torch.random.fork_rng(devices=[device.index or 0] if device.type == "cuda" else []):
        torch.manual_seed(seed)
        yield
