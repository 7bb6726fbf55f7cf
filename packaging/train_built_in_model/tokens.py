"""The tokenizer, and conversations as ids: the very ones that `core.llava.prompt` makes."""

from __future__ import annotations

import io
import json
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import conversations
import phrasings
import sentencepiece
from catalogue import class_names, glyphs
from exchanges import Exchange
from placing import draw_scene
from sprites import sprite_facts

from core.llava.prompt import SYSTEM, conversation, input_ids
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Tokenizer
from core.transcript import Turn

PIECES = 4064
# Rows of the embedding: the pieces, then the two that only transformers' own processor uses.
VOCABULARY = 4096
IMAGE_TOKEN = PIECES
PAD_TOKEN = PIECES + 1
_CAPITALS = re.compile(r"[A-Z]{2,}")
ROLES = {"USER", "ASSISTANT"}


def train_tokenizer(folder: Path, seed: int = 7, scenes: int = 6000) -> None:
    """Train the pieces on generated conversations and write them into `folder`.

    Runs of capitals are left out, so that a printed word is always read and written letter by
    letter; the roles are pieces of their own for the same reason.
    """
    folder.mkdir(parents=True, exist_ok=True)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=_corpus(seed, scenes),
        model_writer=model,
        model_type="bpe",
        vocab_size=PIECES,
        character_coverage=1.0,
        byte_fallback=True,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        remove_extra_whitespaces=False,
        split_digits=True,
        user_defined_symbols=sorted(ROLES),
        unk_id=0,
        bos_id=1,
        eos_id=2,
        pad_id=-1,
        num_threads=2,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    (folder / "tokenizer_config.json").write_text(json.dumps(tokenizer_settings(), indent=2) + "\n")


def tokenizer_settings() -> dict[str, object]:
    """tokenizer_config.json; `legacy` decides what follows `</s>` (see core.llava.prompt)."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "legacy": True,
        "bos_token": "<s>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "pad_token": "<pad>",
        "clean_up_tokenization_spaces": False,
        "model_max_length": 2048,
        "padding_side": "left",
        "image_token": "<image>",
        "processor_class": "LlavaProcessor",
    }


def _corpus(seed: int, scenes: int) -> Iterator[str]:
    rng, facts = random.Random(seed), sprite_facts()
    for _ in range(2000):  # Every prompt begins with it.
        yield SYSTEM
    for name in class_names():
        yield f"a {name}"
    for glyph in glyphs():
        yield f"two {glyph.plural} and the {glyph.name}"
    for key in phrasings.keys("fill"):
        yield from phrasings.lines(f"fill: {key}")
    for number in range(scenes):
        scene = draw_scene(rng.randrange(1 << 32), facts)
        for said in conversations.conversation(rng, scene, 10):
            for line in (said.question, said.answer.replace("\n", " ")):
                yield _CAPITALS.sub("", line) or "a"
        if number % 4 == 0:
            yield "USER: ASSISTANT:"


@dataclass(frozen=True)
class Encoded:
    """Ids after the image, and for each whether it is one to learn (an answer or its end).

    `starts` are where the answers begin, one per exchange.
    """

    ids: list[int]
    learnt: list[bool]
    starts: list[int]


class Encoder:
    """Conversations as ids, quickly; `check` compares with `core.llava.prompt.input_ids`."""

    def __init__(self, folder: Path):
        self.tokenizer = Tokenizer.load(folder)
        self._parts = lru_cache(200_000)(self._encode)
        self.prefixes = {
            system: self._whole([Turn("")], SYSTEM if system else None) for system in (True, False)
        }

    def _whole(self, turns: Sequence[Turn], system: str | None) -> list[int]:
        ids = input_ids(conversation(turns, system), self.tokenizer)
        return ids[: ids.index(IMAGE_TOKEN_INDEX)]

    def _encode(self, text: str) -> list[int]:
        return self.tokenizer.encode_parts([text])

    def encode(self, said: Sequence[Exchange]) -> Encoded:
        """The part after the image of a conversation, every answer closed by `</s>`."""
        ids: list[int] = []
        learnt: list[bool] = []
        starts: list[int] = []
        for number, made in enumerate(said):
            opening = "USER: " if number else "\n"
            asked = self._encode(f"{opening}{made.question} ASSISTANT:")
            answer = [*self._parts(made.answer), self.tokenizer.eos_token_id]
            starts.append(len(ids) + len(asked))
            ids += asked + answer
            learnt += [False] * len(asked) + [True] * len(answer)
        return Encoded(ids, learnt, starts)

    def check(self, said: Sequence[Exchange], with_system: bool) -> bool:
        """Whether training sees the ids that the app makes from the same conversation."""
        turns = [Turn(made.question, made.answer) for made in said]
        system = SYSTEM if with_system else None
        whole = input_ids(conversation(turns, system), self.tokenizer)
        ours = [*self.prefixes[with_system], IMAGE_TOKEN_INDEX, *self.encode(said).ids]
        return whole == ours
