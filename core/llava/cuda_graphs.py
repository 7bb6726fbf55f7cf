"""CUDA graphs: capture a function once and replay it; side streams; copies that do not block."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache

import torch
from torch import Tensor

log = logging.getLogger(__name__)


class Graph:
    """A function of tensors with fixed shapes, captured once.

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
                # The first calls select kernels and allocate workspaces, which a capture may not.
                for _ in range(2):
                    function(*self._inputs)
            torch.cuda.current_stream().wait_stream(stream)
            self._graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self._graph, stream=stream, capture_error_mode="thread_local"):
                self._output = function(*self._inputs)

    def __call__(self, *inputs: Tensor) -> Tensor:
        """Copies `inputs` to the captured ones, replays, and returns the captured output."""
        with torch.cuda.device(self._device):
            for mine, given in zip(self._inputs, inputs, strict=True):
                mine.copy_(given)
            self._graph.replay()
        return self._output


@torch.inference_mode()
def try_capture(
    function: Callable[..., Tensor],
    inputs: Sequence[Tensor],
    device: torch.device,
    stream_key: int = 0,
) -> Graph | None:
    """Captures `function`; returns None, and logs why, if the device refuses.

    Raises torch.OutOfMemoryError.
    """
    try:
        return Graph(function, inputs, device, stream_key)
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        log.warning("No CUDA graph, so decoding is slower: %s", error)
        return None


class GraphCache:
    """Graphs by name, of which the least recently used are dropped."""

    _MOST = 8

    def __init__(
        self, device: torch.device, during_capture: Callable[[], AbstractContextManager[None]]
    ):
        """`during_capture` protects what trial runs and a capture must not change."""
        self._device, self._during_capture = device, during_capture
        self._graphs: dict[str, Callable[..., Tensor]] = {}

    def run(self, name: str, function: Callable[..., Tensor], inputs: Sequence[Tensor]) -> Tensor:
        """`function(*inputs)`, captured at the first call with this `name`.

        Where the device refuses a capture, the function runs as it is.
        """
        replay = self._graphs.pop(name, None)
        if replay is None:
            while len(self._graphs) >= self._MOST:
                del self._graphs[next(iter(self._graphs))]
            with self._during_capture():
                replay = try_capture(function, inputs, self._device) or function
        self._graphs[name] = replay
        return replay(*inputs)

    def clear(self) -> None:
        """Drops all graphs, and with them the memory of their outputs."""
        self._graphs = {}


class SideStream:
    """Replays a graph on a side stream, concurrently with work that was queued before.

    Each output is a new tensor.
    """

    def __init__(self, graph: Graph, device: torch.device):
        self._graph, self._device = graph, device
        self._stream = _stream(device, "side")
        self._was_read = torch.cuda.Event()

    def __call__(self, make_input: Callable[[], Tensor]) -> Tensor:
        """Replays with the tensor that `make_input` brings to the device, on the side stream too.

        Work that is queued later on the current stream waits for the output.
        """
        with torch.cuda.device(self._device):
            with torch.cuda.stream(self._stream):
                given = make_input()
                self._stream.wait_event(self._was_read)
                output = self._graph(given)
            torch.cuda.current_stream().wait_stream(self._stream)
            output = output.clone()
            self._was_read.record()
        return output


@contextmanager
def forked_stream(device: torch.device) -> Iterator[Callable[[], None]]:
    """Within, work is queued on a side stream; it starts after the current stream's work so far.

    Yields a function that makes the current stream wait for it.
    """
    current, stream = torch.cuda.current_stream(device), _stream(device, "fork")
    stream.wait_stream(current)
    with torch.cuda.stream(stream):
        yield lambda: current.wait_stream(stream)


@lru_cache(maxsize=64)
def _stream(device: torch.device, use: str) -> torch.cuda.Stream:
    return torch.cuda.Stream(device)


def to_device(tensor: Tensor, device: torch.device) -> Tensor:
    """Copies to the device without blocking.

    A copy from pageable memory would wait for all queued work.
    """
    if device.type == "cuda":
        tensor = tensor.pin_memory()
    return tensor.to(device, non_blocking=True)


class HostCopy:
    """Copies token ids to the host without waiting for work that is queued after them."""

    _IN_FLIGHT = 4

    def __init__(self, device: torch.device):
        self._is_cuda = device.type == "cuda"
        self._next = 0
        self._buffers: list[Tensor] = []

    def start(self, ids: Tensor) -> Callable[[], list[int]]:
        """Starts to copy `ids` int64 (count,); the returned function waits and gives the list.

        Call it before four more copies are started, which reuse the pinned buffer.
        """
        if not self._is_cuda:
            known = ids.tolist()
            return lambda: known
        if not self._buffers or len(self._buffers[0]) < len(ids):
            size = max(64, len(ids))
            self._buffers = [
                torch.empty(size, dtype=torch.int64, pin_memory=True)
                for _ in range(self._IN_FLIGHT)
            ]
        self._next = (self._next + 1) % self._IN_FLIGHT
        buffer = self._buffers[self._next][: len(ids)]
        buffer.copy_(ids, non_blocking=True)
        # The ids' device need not be the current one.
        event = torch.cuda.current_stream(ids.device).record_event()

        def wait() -> list[int]:
            event.synchronize()
            return buffer.tolist()

        return wait
