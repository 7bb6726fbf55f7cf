"""The text of answers that `generate()` makes, one or several rows at once."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any

import torch

from core.generation.streaming import StreamedAnswer


class RowsStreamer:
    """A streamer for `generate()` on several rows: passes on each row up to its end."""

    def __init__(self, streams: Sequence[StreamedAnswer], end_ids: Collection[int]):
        self._streams: list[StreamedAnswer | None] = list(streams)
        self._end_ids = end_ids

    def put(self, value: torch.Tensor) -> None:
        """Takes the next id of each row, (rows,); `generate()` also passes the prompts."""
        if value.dim() > 1:
            return
        for row, token in enumerate(value.tolist()):
            stream = self._streams[row]
            if stream is None:
                continue
            if token in self._end_ids:
                stream.end()
                self._streams[row] = None
            else:
                stream.add(token)

    def end(self) -> None:
        """Passes on the rest of the rows that have not ended."""
        for stream in filter(None, self._streams):
            stream.end()


class PlainDecoder:
    """Decodes ids without the tokenizer's special tokens."""

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer

    def decode(self, ids: list[int]) -> str:
        """See `TextDecoder.decode`."""
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))


def token_counter(tokenizer: Any) -> Callable[[str], int] | None:
    """Returns what counts the tokens of a text in any thread; None for a tokenizer in Python."""
    # transformers' own object is changed by each call, and the model's thread calls it meanwhile.
    fast: Any = getattr(tokenizer, "backend_tokenizer", None)
    if fast is None:
        return None

    def count(text: str) -> int:
        whole = text.encode(errors="replace").decode()
        return len(fast.encode(whole, add_special_tokens=False).ids)

    return count
