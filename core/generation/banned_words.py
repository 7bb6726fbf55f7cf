"""Words that an answer must not contain, however the tokenizer splits them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import LogitsProcessor

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_AFTER_ALL = b"\xff"  # Greater than every byte of UTF-8.


class BannedWordsCache:
    """Makes the processors of one model, and keeps the last, which takes a while to make."""

    def __init__(self, read_pieces: Callable[[], Sequence[str]]):
        """`read_pieces` returns the vocabulary as the tokenizer writes it, by id."""
        self._read_pieces = read_pieces
        self._vocabulary: list[bytes] | None = None
        self._last: tuple[tuple[str, ...], int, BannedWords] | None = None

    def processor(self, words: tuple[str, ...], prompt_length: int = 0) -> BannedWords | None:
        """Returns the processor that bans `words`; None if there are none."""
        if not words:
            return None
        if self._last is None or self._last[:2] != (words, prompt_length):
            if self._vocabulary is None:
                self._vocabulary = vocabulary_bytes(self._read_pieces())
            banned = BannedWords(words, self._vocabulary, prompt_length)
            self._last = words, prompt_length, banned
        return self._last[2]


def vocabulary_bytes(pieces: Sequence[str]) -> list[bytes]:
    """Returns the bytes that each id stands for, from the pieces as vocabularies write them.

    SentencePiece writes `▁` for a blank and `<0x0A>` for a byte. Byte-level BPE writes every byte
    as a character of its own, `Ġ` for the blank.
    """
    if any(piece.startswith("Ġ") for piece in pieces):
        byte_of = _bytes_of_byte_level()
        return [
            bytes(byte_of[c] for c in piece) if all(c in byte_of for c in piece) else b""
            for piece in pieces
        ]
    return [
        bytes([int(byte[1], 16)])
        if (byte := _BYTE.fullmatch(piece))
        else piece.replace("▁", " ").encode("utf-8", "replace")
        for piece in pieces
    ]


class BannedWords(LogitsProcessor):
    """Sets the score of every token that would complete one of `words` to -inf.

    A word is banned as given, in lower case, in upper case and capitalised, but not within a
    longer word: “cat” does not ban “concatenate”. A word that a token ends with counts as
    complete, although more letters might follow. Only the text of this answer counts as what
    stands before a word.
    """

    def __init__(self, words: Sequence[str], vocabulary: Sequence[bytes], prompt_length: int = 0):
        """`vocabulary` has the bytes of each id; the first `prompt_length` ids that a call gets
        are the prompt's."""
        self._prompt_length = prompt_length
        self._vocabulary = vocabulary
        self._forms = [form for word in words if word.strip() for form in _forms(word.strip())]
        self._longest = max((len(form.text) for form in self._forms), default=0)
        order = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
        self._sorted = [vocabulary[number] for number in order]
        self._order = order
        self._inside = sorted(self._with_word_inside())
        # Banned ids by the forms that have begun, as (form, bytes so far). Few ever come up.
        self._banned_ids: dict[tuple[torch.device, tuple[tuple[int, int], ...]], Tensor] = {}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """`input_ids` int64 (rows, ids so far), `scores` (rows, vocabulary); returns new scores."""
        # The base class declares a FloatTensor, and clone() a Tensor.
        allowed: Any = scores.clone()
        begin = max(self._prompt_length, input_ids.shape[1] - self._longest)
        for row, ids in enumerate(input_ids[:, begin:].tolist()):
            text = b"".join(self._vocabulary[n] for n in ids if n < len(self._vocabulary))
            allowed[row, self._banned_after(text, scores.device)] = -torch.inf
        return allowed

    def _banned_after(self, text: bytes, device: torch.device) -> Tensor:
        """int64 (banned ids,), given the text so far."""
        begun = tuple(
            (number, count)
            for number, form in enumerate(self._forms)
            for count in range(len(form.text))
            if text.endswith(form.text[:count]) and form.may_begin(text[: len(text) - count])
        )
        if (device, begun) not in self._banned_ids:
            banned = set(self._inside)
            for number, count in begun:
                banned.update(self._completing(self._forms[number], count))
            self._banned_ids[device, begun] = torch.tensor(sorted(banned), dtype=torch.long).to(
                device
            )
        return self._banned_ids[device, begun]

    def _completing(self, form: _Form, count: int) -> list[int]:
        """The ids whose bytes begin with the rest of the form, after its first `count` bytes."""
        rest = form.text[count:]
        begin = bisect_left(self._sorted, rest)
        end = bisect_left(self._sorted, rest + _AFTER_ALL)
        return [
            self._order[index]
            for index in range(begin, end)
            if form.may_end(self._sorted[index][len(rest) :])
        ]

    def _with_word_inside(self) -> set[int]:
        """The ids that contain a whole form behind their first byte, such as after a blank."""
        return {
            number
            for form in self._forms
            for number, piece in enumerate(self._vocabulary)
            for begin in [piece.find(form.text, 1)]
            if begin > 0
            and form.may_begin(piece[:begin])
            and form.may_end(piece[begin + len(form.text) :])
        }


class _Form:
    """A way to write a banned word; it counts only where it is not part of a longer word."""

    def __init__(self, word: str):
        self.text = word.encode("utf-8", "replace")
        self._has_begin, self._has_end = _joins(word[0]), _joins(word[-1])

    def may_begin(self, before: bytes) -> bool:
        return not (self._has_begin and before.decode("utf-8", "replace")[-1:].isalnum())

    def may_end(self, after: bytes) -> bool:
        return not (self._has_end and after.decode("utf-8", "replace")[:1].isalnum())


def _forms(word: str) -> list[_Form]:
    capital = word[:1].upper() + word[1:].lower()
    return [_Form(form) for form in dict.fromkeys((word, word.lower(), word.upper(), capital))]


def _joins(character: str) -> bool:
    """Whether it belongs to a script with blanks between words; in others a word has no end."""
    return character.isdigit() or character.lower() != character.upper()


def _bytes_of_byte_level() -> dict[str, int]:
    """GPT-2's characters for bytes: visible ones stand for themselves, the others begin at 256."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in visible]
    return {
        **{chr(byte): byte for byte in visible},
        **{chr(256 + number): byte for number, byte in enumerate(others)},
    }
