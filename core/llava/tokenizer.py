"""Llama's tokenizer by the rules of the slow one, from `tokenizer.model` or `tokenizer.json`.

LLaVA-1.5 was trained with these rules, and transformers' own Llama tokenizers give other ids.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from sentencepiece import SentencePieceProcessor

from core.errors import CheckpointError
from core.message import translatable

IMAGE_TOKEN_INDEX = -200
"""Stands for the image in input ids, as in the original code; no vocabulary has it."""


class Mark(StrEnum):
    """A part of a prompt that is not text; the value is how it is written."""

    IMAGE = "<image>"
    UNKNOWN = "<unk>"
    BEGIN = "<s>"
    END = "</s>"


_MARKS = re.compile("|".join(Mark))
_TOKENS = re.compile("|".join(mark for mark in Mark if mark is not Mark.IMAGE))


def split_at_marks(text: str, marks: re.Pattern[str] = _MARKS) -> list[str]:
    """`text` in parts, of which those that `marks` matches become `Mark`s; no part is empty."""
    parts: list[str] = []
    end = 0
    for match in marks.finditer(text):
        parts += [text[end : match.start()], Mark(match.group())]
        end = match.end()
    return [part for part in (*parts, text[end:]) if part]


class _Vocabulary(Protocol):
    """Encoding and decoding by one kind of tokenizer file."""

    size: int
    ids: dict[Mark, int]

    def encode_parts(self, parts: Sequence[str]) -> list[int]: ...

    def decode(self, ids: list[int]) -> str: ...

    def piece(self, number: int) -> str: ...


class Tokenizer:
    """Llama's tokenizer by the rules of the slow one; transformers' streamers accept it.

    transformers' own Llama tokenizers give other ids: they merge whitespace differently, and differ
    in the prefix after an image.
    """

    def __init__(self, vocabulary: _Vocabulary):
        self._vocabulary = vocabulary
        self.bos_token_id = vocabulary.ids[Mark.BEGIN]
        self.eos_token_id = vocabulary.ids[Mark.END]
        self.unk_token_id = vocabulary.ids[Mark.UNKNOWN]
        # LLaVA-1.5 has no padding token; its generation settings name id 0.
        self.pad_token_id = self.unk_token_id
        self.size = vocabulary.size
        """The number of ids that are text; larger ones must never be generated."""

    @staticmethod
    def load(folder: Path) -> Tokenizer:
        """The tokenizer of a model folder, from `tokenizer.model` or else `tokenizer.json`.

        Raises CheckpointError if there is neither, or if it is not a Llama tokenizer.
        """
        model, fast = folder / "tokenizer.model", folder / "tokenizer.json"
        try:
            if model.is_file():
                return Tokenizer(_SentencePieces(model, legacy=_is_legacy(folder)))
            if fast.is_file():
                return Tokenizer(_FastPieces(fast))
        except MemoryError:
            raise
        # Both libraries raise bare RuntimeError and Exception for a broken file.
        except Exception as error:
            raise CheckpointError(
                translatable(
                    "core",
                    "The tokenizer in “{folder}” cannot be read. Download the tokenizer's "
                    "files again.",
                ).format(folder=folder.name)
            ) from error
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” has no tokenizer. Put the model's tokenizer.model there.",
            ).format(folder=folder.name)
        )

    def encode(self, text: str) -> list[int]:
        """BOS and the ids of `text`, in which `<s>`, `</s>` and `<unk>` count as tokens."""
        return [self.bos_token_id, *self.encode_parts(split_at_marks(text, _TOKENS))]

    def encode_parts(self, parts: Sequence[str]) -> list[int]:
        """The ids of one chunk without BOS; only `Mark`s count as tokens."""
        # Half a surrogate pair, as some input methods leave it, is not Unicode.
        whole = [p if isinstance(p, Mark) else p.encode(errors="replace").decode() for p in parts]
        return self._vocabulary.encode_parts(whole)

    def count(self, text: str) -> int:
        """How many tokens `text` has, without BOS. Any thread may ask."""
        return len(self.encode_parts([text]))

    def pieces(self, ids: Iterable[int]) -> list[str]:
        """Each id as the vocabulary writes it: `▁` for a space, `<0x0A>` for a byte.

        The image's id is `<image>`; one that is not in the vocabulary is `""`.
        """
        return [
            Mark.IMAGE.value
            if number == IMAGE_TOKEN_INDEX
            else self._vocabulary.piece(number)
            if 0 <= number < self.size
            else ""
            for number in ids
        ]

    def decode(self, ids: Any, skip_special_tokens: bool = True, **_: Any) -> str:
        """The text of a list or 1-d tensor of ids, or of a single id.

        Special tokens are always left out. The text of the first ids is a prefix of the text of
        all, except for a last character with incomplete bytes: each of them becomes U+FFFD.
        """
        # transformers' streamers decode one by itself since 5.24.
        numbers = [ids] if isinstance(ids, int) else [int(number) for number in ids]
        special = set(self._vocabulary.ids.values())
        return self._vocabulary.decode(
            [number for number in numbers if number not in special and 0 <= number < self.size]
        )


def _is_legacy(folder: Path) -> bool:
    path = folder / "tokenizer_config.json"
    settings = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    return settings.get("legacy") is not False


class _SentencePieces:
    """A `tokenizer.model`, by the rules of the slow Llama tokenizer of transformers 4.31.

    LLaVA-1.5 was trained with them. `legacy` only changes the encoding of text after a mark.
    """

    def __init__(self, path: Path, *, legacy: bool):
        self._pieces = SentencePieceProcessor(model_file=str(path))
        self._legacy = legacy
        self.size = self._pieces.get_piece_size()
        self.ids = {
            Mark.UNKNOWN: self._pieces.unk_id(),
            Mark.BEGIN: self._pieces.bos_id(),
            Mark.END: self._pieces.eos_id(),
        }

    def encode_parts(self, parts: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for number, part in enumerate(parts):
            if isinstance(part, Mark):
                ids.append(self.ids[part])
            elif self._legacy:
                ids += self._pieces.encode(part)
            else:
                ids += self._encode_stretch(part, is_first=number == 0)
        return ids

    def _encode_stretch(self, text: str, *, is_first: bool) -> list[int]:
        text = text.replace("▁", " ")
        pieces = self._pieces.encode(text, out_type=str)
        if not is_first and not text.startswith(" ") and pieces and pieces[0].startswith("▁"):
            # After a mark there is no dummy prefix, and the piece is looked up without it.
            pieces = [pieces[0][1:], *pieces[1:]] if len(pieces[0]) > 1 else pieces[1:]
        return [self._pieces.piece_to_id(piece) for piece in pieces]

    def decode(self, ids: list[int]) -> str:
        return self._pieces.decode(ids)

    def piece(self, number: int) -> str:
        return self._pieces.id_to_piece(number)


class _FastPieces:
    """A `tokenizer.json`, with its own normalizer and merges."""

    def __init__(self, path: Path):
        from tokenizers import Tokenizer as FastTokenizer

        self._tokenizer = FastTokenizer.from_file(str(path))
        # What a user types is text, even if it looks like a special token.
        self._tokenizer.encode_special_tokens = True
        self.ids: dict[Mark, int] = {}
        for mark in (Mark.UNKNOWN, Mark.BEGIN, Mark.END):
            number = self._tokenizer.token_to_id(mark)
            if number is None:
                raise ValueError(f"{path} has no {mark}")
            self.ids[mark] = number
        # `<image>` and `<pad>` come after the vocabulary of text.
        added = set(self._tokenizer.get_added_tokens_decoder()) - set(self.ids.values())
        self.size = self._tokenizer.get_vocab_size()
        while self.size - 1 in added:
            self.size -= 1

    def encode_parts(self, parts: Sequence[str]) -> list[int]:
        ids: list[int] = []
        for part in parts:
            if isinstance(part, Mark):
                ids.append(self.ids[part])
            else:
                ids += self._tokenizer.encode(part, add_special_tokens=False).ids
        return ids

    def decode(self, ids: list[int]) -> str:
        """The text as sentencepiece decodes it.

        The library's own decoder replaces a whole run of bytes if its last character is incomplete,
        so that text that was already shown would change.
        """
        return text_of_pieces(self._tokenizer.id_to_token(number) or "" for number in ids)

    def piece(self, number: int) -> str:
        return self._tokenizer.id_to_token(number) or ""


_BYTE = re.compile("<0x([0-9A-F]{2})>")
_ESCAPED_BYTE = re.compile("[\udc80-\udcff]")


def text_of_pieces(pieces: Iterable[str]) -> str:
    """The text of a vocabulary's pieces, as sentencepiece decodes them.

    Each byte that is not whole UTF-8 becomes one U+FFFD.
    """
    text = bytearray()
    for number, piece in enumerate(pieces):
        byte = _BYTE.fullmatch(piece)
        written = piece if number else piece.removeprefix("▁")
        text += bytes([int(byte[1], 16)]) if byte else written.replace("▁", " ").encode()
    # One U+FFFD per byte; errors="replace" gives one for several.
    escaped = text.decode(errors="surrogateescape")
    return _ESCAPED_BYTE.sub("\N{REPLACEMENT CHARACTER}", escaped)
