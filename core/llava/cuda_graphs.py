"""Work on a card that is captured once and then launched whole, and ids that come back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Graph:
    """`function` on tensors of one shape, captured once; each call copies in and replays.

    The output is overwritten by the next call.
    """

    def __init__(
        self,
        function: Callable[..., Tensor],
        inputs: Sequence[Tensor],
        device: torch.device,
        stream_key: int = 0,
    ):
        """Graphs that run at the same time need different `stream_key`s."""
        self._inputs = [tensor.clone() for tensor in inputs]
        self._device = device
        with torch.cuda.device(self._device):
            # One stream per key: cuBLAS takes 32 MB for each stream and never frees it.
            stream = _stream(self._device, f"capture {stream_key}")
            stream.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(stream):
                # The first calls choose kernels and take workspaces, which a capture may not.
                for _ in range(2):
                    function(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._output = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Copies `inputs` to where the graph reads them, replays it, and returns its output.

        The next call overwrites the output.
        """
        with torch.cuda.device(self._device):
            for mine, given in zip(self._inputs, inputs, strict=True):
                mine.copy_(given)
            self._graph.replay()
        return self._output


class SideStream:
    """A graph in a stream of its own: what was launched before goes on while it computes.

    Each output is a tensor of its own.
    """

    def __init__(self, graph: Graph, device: torch.device):
        self._graph, self._device = graph, device
        self._stream = _stream(device, "beside")
        self._was_read = torch.cuda.Event()

    def __call__(self, bring: Callable[[], Tensor]) -> Tensor:
        """Of what `bring` brings to the device."""
        with torch.cuda.device(self._device):
            with torch.cuda.stream(self._stream):
                given = bring()
                self._stream.wait_event(self._was_read)
                output = self._graph(given)
            torch.cuda.current_stream().wait_stream(self._stream)
            output = output.clone()
            self._was_read.record()
        return output


@contextmanager
def forked_stream(device: torch.device) -> Iterator[Callable[[], None]]:
    """Within, launches go beside those of the stream around it, which waits for them when the
    function that is given is called."""
    around, stream = torch.cuda.current_stream(device), _stream(device, "fork")
    stream.wait_stream(around)
    with torch.cuda.stream(stream):
        yield lambda: around.wait_stream(stream)


@lru_cache(maxsize=64)
def _stream(device: torch.device, use: str) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


@torch.inference_mode()
def try_capture(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    device: torch.device,
    stream_key: int = 0,
) -> Graph | None:
    """The graph of `function`, or None where the device refuses: then it is called as it is."""
    try:
        return Graph(function, inputs, device, stream_key)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("No CUDA graph, so decoding is slower: %s", error)
        return None


class HostCopy:
    """Brings ids from the device without waiting for what is launched after them."""

    _AT_ONCE = 4

    def __init__(self, device: torch.device):
        self._is_cuda = device.type == "cuda"
        self._next = 0
        self._buffers: list[Tensor] = []

    def of(self, ids: Tensor) -> Callable[[], list[int]]:
        """Starts copying `ids`; the function returned waits for that and gives a list."""
        if not self._is_cuda:
            known = ids.tolist()
            return lambda: known
        if not self._buffers or len(self._buffers[0]) < len(ids):
            size = max(64, len(ids))
            self._buffers = [
                torch.empty(size, dtype=torch.int64, pin_memory=True) for _ in range(self._AT_ONCE)
            ]
        self._next = (self._next + 1) % self._AT_ONCE
        buffer = self._buffers[self._next][: len(ids)]
        buffer.copy_(ids, non_blocking=True)
        # Of the card that the ids are on, which need not be the current one.
        event = torch.cuda.current_stream(ids.device).record_event()

        def wait() -> list[int]:
            event.synchronize()
            return buffer.tolist()

        return wait
