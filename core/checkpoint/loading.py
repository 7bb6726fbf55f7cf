"""Tensors go from a checkpoint's files to where the model keeps them, some rows at a time.

The memory for all of them is taken first, what is multiplied together one under the other. The
files are then read in the order of their bytes, by a few threads ahead of the one that copies,
and what arrives is turned into the model's precision where it arrives: there is no second copy
of anything, neither on the card nor in the host's memory.
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

from core.checkpoint.weights import Place, open_shard, reading
from core.device.choice import is_out_of_memory, lower_precision, out_of_memory, precision_of
from core.errors import Cancelled
from core.llava.quantized import (
    QuantizedLinear,
    QuantizedMatrix,
    bits_of,
    quantize,
    reorder_for_processor,
)

# What a safetensors file calls them.
_DTYPES = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn,
    "F8_E5M2": torch.float8_e5m2,
}

# Read ahead of the copy. One thread copies some 8 GB/s out of the page cache, a card takes 50.
_READERS = min(8, os.cpu_count() or 1)
_BYTES_AT_ONCE = {"cuda": 16 << 20, "cpu": 4 << 20}
_COPIES_AT_ONCE = {"cuda": 2, "cpu": 0}

Room = dict[str, Tensor | QuantizedMatrix]
"""The memory for each tensor of a model, by its name."""


def load_weights(
    model: nn.Module,
    places: dict[str, Place],
    device: torch.device,
    dtype: torch.dtype,
    on_fraction: Callable[[float], None],
    stop: threading.Event,
    bits: int | None = None,
) -> None:
    """Fill `model`, which stands on meta, on `device` in `dtype`.

    With `bits` 8 or 4 the language model's matrices become `QuantizedLinear`s. Raises Cancelled
    between two reads once `stop` is set, and OutOfMemory; what was loaded is let go of then.
    """
    room: Room = {}
    try:
        room |= make_room(model, device, dtype, bits)
        total = sum(tensor.numel() for tensor in model.state_dict().values())
        done, told = 0, -1.0
        for count in _arrivals(room, places, device):
            done += count
            # Of a thousand small tensors each need not be told.
            if done == total or done / total - told > 0.002:
                told = done / total
                on_fraction(told)
            if stop.is_set():
                raise Cancelled("Loading was cancelled.")
    except BaseException as error:
        room.clear()
        # The frames that failed hold parts of the room.
        traceback.clear_frames(error.__traceback__)
        _release(device)
        if is_out_of_memory(error):
            lower = lower_precision(precision_of(dtype, bits))
            raise out_of_memory(device, error, lower) from error
        raise
    _release(device)
    furnish(model, room)


def _release(device: torch.device) -> None:
    """Gives back what torch keeps for the next time: on the card, and pinned in the host."""
    if device.type != "cuda":
        return
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()
    # From torch 2.12 on it has a public name.
    empty = getattr(torch.accelerator.memory, "empty_host_cache", None)
    empty = empty or getattr(torch._C, "_host_emptyCache", None)
    if empty is not None:
        empty()


# ---- the room ----------------------------------------------------------------------------------

_TOGETHER = {
    "q_proj": "query_key_value",
    "k_proj": "query_key_value",
    "v_proj": "query_key_value",
    "gate_proj": "gate_up",
    "up_proj": "gate_up",
}


def make_room(model: nn.Module, device: torch.device, dtype: torch.dtype, bits: int | None) -> Room:
    """Memory for what `model` holds; query, key and value, gate and up are each one matrix."""
    shapes = {name: tuple(tensor.shape) for name, tensor in model.state_dict().items()}
    few_bits = bits_of(model, bits) if bits else {}
    room: Room = {}
    for names in _groups(shapes):
        sizes = [shapes[name][0] for name in names]
        shape = (sum(sizes), *shapes[names[0]][1:])
        if names[0] in few_bits:
            whole = QuantizedMatrix.empty((shape[0], shape[1]), few_bits[names[0]], device)
        else:
            whole = torch.empty(shape, dtype=dtype, device=device)
        room |= zip(names, whole.split(sizes), strict=True)
    return room


def _groups(shapes: dict[str, tuple[int, ...]]) -> Iterable[list[str]]:
    """The names, those together whose tensors lie one under the other, in that order."""
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


def furnish(model: nn.Module, room: Room) -> None:
    """Makes what is in `room` the weights of `model`."""
    tensors: dict[str, Tensor] = {}
    for name, place in room.items():
        if isinstance(place, Tensor):
            tensors[name] = place
            continue
        module = name.rpartition(".")[0]
        linear: Any = model.get_submodule(module)
        model.set_submodule(module, QuantizedLinear(place, linear.bias))
        tensors |= {f"{module}.values": place.values, f"{module}.scales": place.scales}
    model.load_state_dict(tensors, assign=True)
    reorder_for_processor(model)


# ---- the way there -----------------------------------------------------------------------------


def _arrivals(room: Room, places: dict[str, Place], device: torch.device) -> Iterator[int]:
    """Fills the room; yields how many numbers have arrived, each time some have."""
    paths = list(dict.fromkeys(place.path for place in places.values()))
    mapped = [path for path in paths if path.suffix == ".safetensors"]
    pieces = [piece for path in mapped for piece in _pieces(path, places, room, device)]
    for piece, rows in _read_ahead(pieces, device):
        _settle(rows, piece.target)
        yield rows.numel()
    for path in paths:
        if path not in mapped:
            yield from _unpickled(path, places, room)


def _settle(rows: Tensor, target: Tensor | QuantizedMatrix) -> None:
    """Puts `rows` of the host where they belong, in its precision."""
    if isinstance(target, QuantizedMatrix):
        quantize(rows.to(target.values.device, non_blocking=True), target.bits, out=target)
    elif rows.dtype == target.dtype:
        target.copy_(rows, non_blocking=True)
    else:
        # There, as copying would convert on the processor first.
        target.copy_(rows.to(target.device, non_blocking=True))


def _unpickled(path: Path, places: dict[str, Place], room: Room) -> Iterator[int]:
    """The same from one `.bin`, tensor by tensor; it is unmapped at the end."""
    shard = open_shard(path)
    for name, place in places.items():
        if place.path == path:
            with reading(path):
                tensor = shard.tensor(place.name)
            target = room[name]
            _settle(tensor[: target.shape[0]], target)
            yield math.prod(target.shape)


@dataclass(frozen=True, eq=False)
class _Piece:
    """Some rows of a tensor in a file, and where they go."""

    path: Path
    begin: int
    dtype: torch.dtype
    target: Tensor | QuantizedMatrix

    @property
    def nbytes(self) -> int:
        return math.prod(self.target.shape) * self.dtype.itemsize


def _pieces(
    path: Path, places: dict[str, Place], room: Room, device: torch.device
) -> Iterator[_Piece]:
    """The wanted tensors of a safetensors file in the order of their bytes, cut into rows."""
    with reading(path):
        extent = _extents(path)
        wanted = [
            (extent(place.name), room[name]) for name, place in places.items() if place.path == path
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
    """Tells of a tensor its dtype, and where in the file it begins; raises KeyError.

    safetensors has looked through the header before, but does not tell the places.
    """
    with path.open("rb") as file:
        (size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(size))

    def extent(name: str) -> tuple[torch.dtype, int]:
        told = header[name]
        return _DTYPES[told["dtype"]], 8 + size + told["data_offsets"][0]

    return extent


def _read_ahead(pieces: list[_Piece], device: torch.device) -> Generator[tuple[_Piece, Tensor]]:
    """The pieces in order; each is in memory that is used again once it has been copied."""
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
    """Fills the beginning of `buffer`. Raises OSError, and ValueError where the file ends early."""
    memory = buffer.numpy().data[: piece.nbytes]
    with piece.path.open("rb", buffering=0) as file:
        file.seek(piece.begin)
        while memory:
            count = file.readinto(memory)
            if not count:
                raise ValueError(f"{piece.path} is cut short")
            memory = memory[count:]
