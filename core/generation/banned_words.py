"""Words that an answer must not contain, however they are cut into tokens."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Sequence

import torch
from torch import Tensor
from transformers import LogitsProcessor

_BYTE = re.compile(r"<0x([0-9A-F]{2})>")
_AFTER_ALL = b"\xff"  # Greater than every byte of UTF-8.


def vocabulary_bytes(pieces: Sequence[str]) -> list[bytes]:
    """What each id says, by the way vocabularies write it down.

    That is sentencepiece's, with `▁` for a blank and `<0x0A>` for a byte, or that of byte-level
    BPE, where every byte is a character of its own, `Ġ` the blank.
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
    """Takes from the scores every token that would complete one of `words`.

    A word is banned as given, in small letters, in capitals and with a capital at its beginning;
    within a longer word it is not, so that “cat” leaves “concatenate” be. Where a token ends with
    the word it counts as complete, although more letters might follow. Only what was said in this
    answer counts as what stands before.
    """

    def __init__(self, words: Sequence[str], vocabulary: Sequence[bytes], prompt_length: int = 0):
        """`prompt_length` ids at the beginning are not of the answer."""
        self._prompt_length = prompt_length
        self._vocabulary = vocabulary
        self._forms = [form for word in words if word.strip() for form in _forms(word.strip())]
        self._longest = max((len(form.text) for form in self._forms), default=0)
        order = sorted(range(len(vocabulary)), key=vocabulary.__getitem__)
        self._sorted = [vocabulary[number] for number in order]
        self._order = order
        self._inside = sorted(self._with_word_inside())
        # By what of which forms was said; few of them ever come up.
        self._tensors: dict[tuple[torch.device, tuple[tuple[int, int], ...]], Tensor] = {}

    def __call__(self, input_ids: torch.LongTensor, scores: torch.FloatTensor) -> torch.FloatTensor:
        """`input_ids` (rows, said), `scores` (rows, vocabulary); gives scores of their own."""
        allowed = scores.clone()
        begin = max(self._prompt_length, input_ids.shape[1] - self._longest)
        for row, ids in enumerate(input_ids[:, begin:].tolist()):
            said = b"".join(self._vocabulary[n] for n in ids if n < len(self._vocabulary))
            allowed[row, self._banned_after(said, scores.device)] = -torch.inf
        return allowed  # type: ignore[return-value]

    def _banned_after(self, said: bytes, device: torch.device) -> Tensor:
        begun = tuple(
            (number, count)
            for number, form in enumerate(self._forms)
            for count in range(len(form.text))
            if said.endswith(form.text[:count]) and form.may_begin(said[: len(said) - count])
        )
        if (device, begun) not in self._tensors:
            banned = set(self._inside)
            for number, count in begun:
                banned.update(self._completing(self._forms[number], count))
            self._tensors[device, begun] = torch.tensor(sorted(banned), dtype=torch.long).to(device)
        return self._tensors[device, begun]

    def _completing(self, form: _Form, count: int) -> list[int]:
        """The tokens that begin with the rest of the form, `count` bytes of which were said."""
        rest = form.text[count:]
        begin = bisect_left(self._sorted, rest)
        end = bisect_left(self._sorted, rest + _AFTER_ALL)
        return [
            self._order[place]
            for place in range(begin, end)
            if form.may_end(self._sorted[place][len(rest) :])
        ]

    def _with_word_inside(self) -> set[int]:
        """The tokens that hold a whole form behind their beginning, as after a blank."""
        return {
            number
            for form in self._forms
            for number, piece in enumerate(self._vocabulary)
            for place in [piece.find(form.text, 1)]
            if place > 0
            and form.may_begin(piece[:place])
            and form.may_end(piece[place + len(form.text) :])
        }


class _Form:
    """A way to write a banned word, and whether it stands by itself where letters are joined."""

    def __init__(self, word: str):
        self.text = word.encode("utf-8", "replace")
        self._has_begin, self._has_end = _joins(word[0]), _joins(word[-1])

    def may_begin(self, before: bytes) -> bool:
        return not (self._has_begin and before.decode("utf-8", "ignore")[-1:].isalnum())

    def may_end(self, after: bytes) -> bool:
        return not (self._has_end and after.decode("utf-8", "ignore")[:1].isalnum())


def _forms(word: str) -> list[_Form]:
    capital = word[:1].upper() + word[1:].lower()
    return [_Form(form) for form in dict.fromkeys((word, word.lower(), word.upper(), capital))]


def _joins(character: str) -> bool:
    """Whether it is of a script that sets words apart by blanks; others have no end to find."""
    return character.isdigit() or character.lower() != character.upper()


def _bytes_of_byte_level() -> dict[str, int]:
    """GPT-2's characters for bytes: those that can be seen as they are, the others from 256 on."""
    seen = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in seen]
    return {
        **{chr(byte): byte for byte in seen},
        **{chr(256 + place): byte for place, byte in enumerate(others)},
    }
