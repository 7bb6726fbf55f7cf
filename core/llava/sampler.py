"""Chooses the next token of an answer from its logits, as transformers' `generate()` does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import torch
from torch import Tensor
from transformers import (
    LogitsProcessor,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from core.transcript import Sampling


class Sampler:
    """Applies the processors of `generate()` in its order, and draws the same random numbers.

    Each answer has its own generator, so that an answer in another slot changes nothing.
    """

    def __init__(self, sampling: Sampling, banned: LogitsProcessor | None, device: torch.device):
        """`banned` sets the scores of tokens that must not be generated to minus infinity."""
        self._processors = LogitsProcessorList()
        self._generator: torch.Generator | None = None
        if sampling.repetition_penalty != 1.0:
            penalty = RepetitionPenaltyLogitsProcessor(sampling.repetition_penalty)
            self._processors.append(penalty)
        if banned is not None:
            self._processors.append(banned)
        if sampling.temperature == 0:
            return
        if sampling.temperature != 1.0:
            self._processors.append(TemperatureLogitsWarper(sampling.temperature))
        if sampling.top_k:
            self._processors.append(TopKLogitsWarper(sampling.top_k))
        if sampling.top_p < 1.0:
            self._processors.append(TopPLogitsWarper(sampling.top_p))
        self._generator = torch.Generator(device)
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed)

    @property
    def is_greedy(self) -> bool:
        """Whether it always chooses the likeliest token, so that no logits are needed."""
        return not self._processors and self._generator is None

    def choose(self, generated: Sequence[int], logits: Tensor) -> int:
        """The next token id after `generated`, from float32 `logits` (1, vocabulary).

        As in `generate(inputs_embeds=…)`, only tokens generated in this answer count as
        repetitions.
        """
        # transformers asks for a LongTensor, a type that torch.tensor() does not claim to return.
        ids: Any = torch.tensor([list(generated)], dtype=torch.long, device=logits.device)
        scores: Any = self._processors(ids, cast(torch.FloatTensor, logits))
        if self._generator is None:
            return int(scores.argmax(-1))
        return int(torch.multinomial(scores.softmax(-1), 1, generator=self._generator))
