"""Which fields of a request a server refuses. They are learnt from its answers and left out."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping

from core.engine import Capability
from core.message import Message, joined, translatable

OPTIONAL = (
    *("temperature", "top_p", "top_k", "min_p", "seed", "repetition_penalty"),
    *("stream_options", "max_tokens", "continue_final_message", "add_generation_prompt"),
    *("generation_config", "logprobs", "top_logprobs"),
)
"""The fields without which a request still makes sense."""

# How `transformers serve` complains of fields that it does not know. It takes these as a part of
# `generation_config`, and samples only if that says so.
_OF_TRANSFORMERS = re.compile(r"Unexpected\W(fields|keys)\W")
_IN_GENERATION_CONFIG = ("top_k", "min_p", "repetition_penalty")

# What a server cannot do that refuses a field. Without the others the answers are the same.
_NEEDED_FOR = {
    "temperature": Capability.TEMPERATURE,
    "top_p": Capability.TOP_P,
    "top_k": Capability.TOP_K,
    "seed": Capability.SEED,
    "repetition_penalty": Capability.REPETITION_PENALTY,
    "continue_final_message": Capability.BEGINNING,
}
_NAMES = {
    "temperature": translatable("core", "temperature"),
    "top_p": translatable("core", "top-p"),
    "top_k": translatable("core", "top-k"),
    "seed": translatable("core", "seed"),
    "repetition_penalty": translatable("core", "repetition penalty"),
    "continue_final_message": translatable("core", "start of the answer"),
}


class RefusedFields:
    """What one server has refused so far; kept as long as the program uses the server."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self._takes_generation_config = False

    def learn(self, sent: Collection[str], complaint: str) -> bool:
        """Notes which of the `sent` fields the server's `complaint` names; returns whether any."""
        optional = self.optional(sent)
        named = {name for name in optional if re.search(rf"(?<!\w){name}(?!\w)", complaint)}
        if "add_generation_prompt" in named or "continue_final_message" in named:
            named |= {"add_generation_prompt", "continue_final_message"}
        if "logprobs" in named:
            named.add("top_logprobs")
        self.names |= named
        self._takes_generation_config |= bool(named and _OF_TRANSFORMERS.search(complaint))
        return bool(named)

    def optional(self, sent: Collection[str]) -> list[str]:
        """Returns those of the fields that another try may leave out."""
        return [name for name in OPTIONAL if name in sent and name not in self.names]

    def without(self, fields: Mapping[str, object]) -> dict[str, object]:
        """Returns the fields that the server takes. What is named otherwise is renamed."""
        kept = {name: value for name, value in fields.items() if name not in self.names}
        if "max_tokens" in self.names and "max_tokens" in fields:
            # OpenAI's newer models want the new name.
            kept["max_completion_tokens"] = fields["max_tokens"]
        if self._has_generation_config and (config := _generation_config(fields)):
            kept["generation_config"] = json.dumps(config)
        return kept

    @property
    def _has_generation_config(self) -> bool:
        return self._takes_generation_config and "generation_config" not in self.names

    @property
    def missing(self) -> set[Capability]:
        """What the server cannot do, as far as is known."""
        return {_NEEDED_FOR[name] for name in self._missed}

    @property
    def _missed(self) -> list[str]:
        """The refused fields that change answers and are not sent in another way."""
        others = _IN_GENERATION_CONFIG if self._has_generation_config else ()
        return [name for name in _NAMES if name in self.names and name not in others]

    @property
    def note(self) -> Message | None:
        """A sentence on what the server does not take; None if nothing is missed."""
        missed = [_NAMES[name] for name in self._missed]
        if not missed:
            return None
        return translatable(
            "core", "The server ignores these settings: {names}. Its own defaults apply."
        ).format(names=joined(*missed, between=", "))


def _generation_config(fields: Mapping[str, object]) -> dict[str, object]:
    """Returns what of the fields belongs there; {} for a greedy answer as usual."""
    temperature = fields.get("temperature")
    config = {name: fields[name] for name in _IN_GENERATION_CONFIG if name in fields}
    if isinstance(temperature, float | int) and temperature > 0:
        return {"do_sample": True, **config}
    penalty = config.get("repetition_penalty", 1.0)
    return {"repetition_penalty": penalty} if penalty != 1.0 else {}
