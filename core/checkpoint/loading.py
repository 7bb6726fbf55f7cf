"""Reads a checkpoint's tensors into the model's parameters, some rows at a time.

All parameters are allocated first; matrices that are multiplied together share one buffer. A few
threads then read the files in the order of their bytes, ahead of the thread that copies to the
device, and each piece is converted to the model's precision on the device. So the peak is one copy
of the weights, on the GPU as well as in host memory.
"""

from __future__ import annotations

import json
import math
import os
import struct
import threading
import traceback
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from core.checkpoint.weights import TensorLocation, open_shard, reading
from core.device.choice import is_out_of_memory, lower_precision, out_of_memory, precision_of
from core.errors import Cancelled
from core.llava.quantized import QuantizedMatrix, quantize
from core.llava.quantized_linear import QuantizedLinear, formats_of, reorder_for_cpu
from core.transcript import WeightFormat

# By their names in a safetensors file.
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}

# Threads that read ahead of the copy. One thread copies some 8 GB/s out of the page cache, and a
# GPU takes 50.
_READERS = min(8, os.cpu_count() or 1)
_BYTES_AT_ONCE = {"cuda": 16 << 20, "cpu": 4 << 20}
_COPIES_AT_ONCE = {"cuda": 2, "cpu": 0}

ParameterBuffers = dict[str, Tensor | QuantizedMatrix]
"""The allocated memory of each tensor of a model, by its name."""


def load_weights(
    model: nn.Module,
    locations: dict[str, TensorLocation],
    device: torch.device,
    dtype: torch.dtype,
    on_fraction: Callable[[float], None],
    stop: threading.Event,
    kind: WeightFormat | None = None,
) -> None:
    """Loads the weights of `model`, which is on the meta device, to `device` in `dtype`.

    With `kind` the language model's matrices become `QuantizedLinear`s. `on_fraction` is
    called from this thread with the fraction that is loaded. Raises OutOfMemory, and Cancelled
    between two reads once `stop` is set; the memory is freed before.
    """
    buffers: ParameterBuffers = {}
    try:
        buffers |= allocate(model, device, dtype, kind)
        total = sum(tensor.numel() for tensor in model.state_dict().values())
        done, reported = 0, -1.0
        for count in _fill(buffers, locations, device):
            done += count
            # Not after each of a thousand small tensors.
            if done == total or done / total - reported > 0.002:
                reported = done / total
                on_fraction(reported)
            if stop.is_set():
                raise Cancelled("Loading was cancelled.")
    except BaseException as error:
        buffers.clear()
        # The frames that failed still hold references to buffers.
        traceback.clear_frames(error.__traceback__)
        _release(device)
        if is_out_of_memory(error):
            lower = lower_precision(precision_of(dtype, kind))
            raise out_of_memory(device, error, lower) from error
        raise
    _release(device)
    assign_weights(model, buffers)


def _release(device: torch.device) -> None:
    """Returns the memory that torch caches for reuse: on the GPU, and pinned in the host."""
    if device.type != "cuda":
        return
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    if empty := host_cache_release():
        empty()


def host_cache_release() -> Callable[[], None] | None:
    """Torch's function that frees cached pinned host memory; None where torch has none.

    It is public from torch 2.12 on. Without it the memory stays with the process until it exits.
    """
    public = getattr(torch.accelerator.memory, "empty_host_cache", None)
    return public or getattr(torch._C, "_host_emptyCache", None)


# ---- allocation --------------------------------------------------------------------------------

# Linear layers with the same input, whose matrices lie one under the other in one buffer.

_TOGETHER = {
    "q_proj": "query_key_value",
    "k_proj": "query_key_value",
    "v_proj": "query_key_value",
    "gate_proj": "gate_up",
    "up_proj": "gate_up",
}


def allocate(
    model: nn.Module, device: torch.device, dtype: torch.dtype, kind: WeightFormat | None
) -> ParameterBuffers:
    """Allocates uninitialized memory for every tensor in the state dict of `model`.

    The matrices of query, key and value are views of one buffer, and so are those of gate and up.
    """
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    formats = formats_of(model, kind) if kind else {}
    buffers: ParameterBuffers = {}
    for names in _groups(shapes):
        sizes = [shapes[name][0] for name in names]
        shape = (sum(sizes), *shapes[names[0]][1:])
        if names[0] in formats:
            whole = QuantizedMatrix.empty((shape[0], shape[1]), formats[names[0]], device)
        else:
            whole = torch.empty(shape, dtype=dtype, device=device)
        buffers |= zip(names, whole.split(sizes), strict=True)
    return buffers


def _groups(shapes: dict[str, tuple[int, ...]]) -> Iterable[list[str]]:
    """The names, grouped by the buffer that their tensors share, in the order of its rows."""
    order = list(_TOGETHER)
    groups: dict[tuple[object, ...], list[str]] = defaultdict(list)
    for name, shape in shapes.items():
        module, _, kind = name.rpartition(".")
        parent, _, child = module.rpartition(".")
        key = (parent, _TOGETHER[child], kind, shape[1:]) if child in _TOGETHER else (name,)
        groups[key].append(name)
    for names in groups.values():
        if len(names) > 1:
            names.sort(key=lambda name: order.index(name.split(".")[-2]))
    return groups.values()


def assign_weights(model: nn.Module, buffers: ParameterBuffers) -> None:
    """Makes `buffers` the parameters of `model`, without a copy."""
    tensors: dict[str, Tensor] = {}
    for name, buffer in buffers.items():
        if isinstance(buffer, Tensor):
            tensors[name] = buffer
            continue
        module = name.rpartition(".")[0]
        linear: Any = model.get_submodule(module)
        model.set_submodule(module, QuantizedLinear(buffer, linear.bias))
        tensors |= {f"{module}.values": buffer.values, f"{module}.scales": buffer.scales}
    model.load_state_dict(tensors, assign=True)
    reorder_for_cpu(model)


# ---- reading -----------------------------------------------------------------------------------


def _fill(
    buffers: ParameterBuffers, locations: dict[str, TensorLocation], device: torch.device
) -> Iterator[int]:
    """Reads all tensors into their buffers; yields the number of elements after each piece."""
    paths = list(dict.fromkeys(location.path for location in locations.values()))
    mapped = [path for path in paths if path.suffix == ".safetensors"]
    pieces = [piece for path in mapped for piece in _pieces(path, locations, buffers, device)]
    for piece, rows in _read_ahead(pieces, device):
        _store(rows, piece.target)
        yield rows.numel()
    for path in paths:
        if path not in mapped:
            yield from _fill_from_pickle(path, locations, buffers)


def _store(rows: Tensor, target: Tensor | QuantizedMatrix) -> None:
    """Copies `rows` from host memory to `target`, in the precision of `target`."""
    if isinstance(target, QuantizedMatrix):
        quantize(rows.to(target.values.device, non_blocking=True), target.format, out=target)
    elif rows.dtype == target.dtype:
        target.copy_(rows, non_blocking=True)
    else:
        # Converted on the device: `copy_` alone would convert on the CPU first.
        target.copy_(rows.to(target.device, non_blocking=True))


def _fill_from_pickle(
    path: Path, locations: dict[str, TensorLocation], buffers: ParameterBuffers
) -> Iterator[int]:
    """Does the same for one `.bin`, tensor by tensor; the file is unmapped at the end."""
    shard = open_shard(path)
    for name, location in locations.items():
        if location.path == path:
            with reading(path):
                tensor = shard.tensor(location.name)
            target = buffers[name]
            _store(tensor[: target.shape[0]], target)
            yield math.prod(target.shape)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows of a tensor in a file, from byte `begin` on, and the memory that they go to."""

    path: Path
    begin: int
    dtype: torch.dtype
    target: Tensor | QuantizedMatrix

    @property
    def nbytes(self) -> int:
        return math.prod(self.target.shape) * self.dtype.itemsize


def _pieces(
    path: Path,
    locations: dict[str, TensorLocation],
    buffers: ParameterBuffers,
    device: torch.device,
) -> Iterator[_Piece]:
    """The wanted tensors of a safetensors file in the order of their bytes, cut into rows."""
    with reading(path):
        extent = _extents(path)
        wanted = [
            (extent(location.name), buffers[name])
            for name, location in locations.items()
            if location.path == path
        ]
    for (dtype, begin), target in sorted(wanted, key=lambda one: one[0][1]):
        count, *rest = target.shape
        row_bytes = math.prod(rest) * dtype.itemsize
        step = max(1, _BYTES_AT_ONCE[device.type] // max(1, row_bytes))
        for first in range(0, count, step):
            last = min(first + step, count)
            part = target[first:last] if isinstance(target, Tensor) else target.rows(first, last)
            yield _Piece(path, begin + first * row_bytes, dtype, part)


def _extents(path: Path) -> Callable[[str], tuple[torch.dtype, int]]:
    """Returns a function from a tensor's name to its dtype and first byte; that raises KeyError.

    The safetensors library has validated the header before, but does not give the offsets.
    """
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))

    def extent(name: str) -> tuple[torch.dtype, int]:
        entry = header[name]
        return _DTYPES[entry["dtype"]], 8 + size + entry["data_offsets"][0]

    return extent


def _read_ahead(pieces: list[_Piece], device: torch.device) -> Generator[tuple[_Piece, Tensor]]:
    """Reads the pieces in order; each buffer is reused once its piece has been copied."""
    if not pieces:
        return
    on_card = device.type == "cuda"
    count = _READERS if on_card else 1
    size = max(piece.nbytes for piece in pieces)
    rest = iter(pieces)
    coming: deque[tuple[_Piece, Tensor, Future[None]]] = deque()
    copying: deque[tuple[Tensor, torch.Event | None]] = deque()
    with ThreadPoolExecutor(count, "weights") as readers:

        def read_into(buffer: Tensor) -> None:
            piece = next(rest, None)
            if piece is not None:
                coming.append((piece, buffer, readers.submit(_read, piece, buffer)))

        try:
            for _ in range(min(2 * count, len(pieces))):
                read_into(torch.empty(size, dtype=torch.uint8, pin_memory=on_card))
            while coming:
                piece, buffer, read = coming.popleft()
                with reading(piece.path):
                    read.result()
                yield piece, buffer[: piece.nbytes].view(piece.dtype).view(piece.target.shape)
                copied = torch.cuda.current_stream(device).record_event() if on_card else None
                copying.append((buffer, copied))
                if len(copying) > _COPIES_AT_ONCE[device.type] or not coming:
                    buffer, copied = copying.popleft()
                    if copied is not None:
                        copied.synchronize()
                    read_into(buffer)
        finally:
            readers.shutdown(wait=False, cancel_futures=True)


def _read(piece: _Piece, buffer: Tensor) -> None:
    """Fills the beginning of `buffer`. Raises OSError, and ValueError if the file ends early."""
    memory = buffer.numpy().data[: piece.nbytes]
    with piece.path.open("rb", buffering=0) as file:
        file.seek(piece.begin)
        while memory:
            count = file.readinto(memory)
            if not count:
                raise ValueError(f"{piece.path} is cut short")
            memory = memory[count:]
