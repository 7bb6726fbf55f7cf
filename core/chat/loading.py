"""Loads the weights of a model of another architecture, through transformers' own loader."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from core.chat.model import ChatModel
from core.chat.quiet import quiet
from core.chat.stored import StoredTensor
from core.errors import Cancelled, CheckpointError
from core.llava.forward import decoder_obstacle
from core.llava.quantized import quantize
from core.llava.quantized_linear import QuantizedLinear, reorder_for_cpu
from core.message import translatable
from core.transcript import WeightFormat


def load_chat_model(
    read: ChatModel,
    device: torch.device,
    dtype: torch.dtype,
    kind: WeightFormat | None,
    on_fraction: Callable[[float], None],
    stop: threading.Event,
) -> Any:
    """Returns the model with its weights on `device`, the matrices of its layers quantized to
    `kind`.

    Raises Cancelled between two tensors once `stop` is set, and CheckpointError if the weights do
    not fit the model. Errors of memory allocation are passed on as they are.
    """
    progress = _Progress(sum(tensor.count for tensor in read.stored.values()), on_fraction, stop)
    tensors = {name: _LazyTensor(tensor, progress) for name, tensor in read.stored.items()}
    # If it is to be quantized, on the CPU first: the GPU then never holds more than one matrix in
    # 16 bits.
    load_device = torch.device("cpu") if kind else device
    try:
        with quiet():
            model, report = type(read.model).from_pretrained(
                None,
                config=read.model.config,
                state_dict=tensors,
                dtype=dtype,
                device_map={"": load_device},
                output_loading_info=True,
                trust_remote_code=False,
                local_files_only=True,
            )
    except CheckpointError:
        raise
    except (RuntimeError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        progress.raise_cause()
        if isinstance(error, torch.OutOfMemoryError) or "memory" in str(error):
            raise
        raise CheckpointError(
            translatable(
                "core",
                "The weights do not match config.json. Download all files of the model again.",
            )
        ) from error
    progress.raise_cause()
    if missing := sorted(report["missing_keys"]):
        raise _incomplete(missing)
    if kind:
        quantize_layers(model, kind, device, stop)
        model.to(device)
    return model.eval().requires_grad_(False)


def _incomplete(missing: Sequence[str]) -> CheckpointError:
    text = translatable(
        "core", "The weights lack {count} tensors ({names}). Download the model again."
    )
    if len(missing) == 1:
        text = translatable(
            "core", "The weights lack a tensor ({names}). Download the model again."
        )
    names = ", ".join(missing[:3]) + (" …" if len(missing) > 3 else "")
    return CheckpointError(text.format(count=len(missing), names=names))


class _Progress:
    """Counts what was read, and keeps the first exception in the threads in which transformers
    reads."""

    def __init__(self, total: int, on_fraction: Callable[[float], None], stop: threading.Event):
        self._total, self._on_fraction, self._stop = max(1, total), on_fraction, stop
        self._lock = threading.Lock()
        self._done = 0
        self._cause: BaseException | None = None

    def read(self, tensor: StoredTensor) -> Tensor:
        """Reads a tensor and reports progress. Raises Cancelled, and what reading raises."""
        try:
            if self._stop.is_set():
                raise Cancelled("Loading was cancelled.")
            content = tensor.read()
            with self._lock:
                self._done += tensor.count
                self._on_fraction(min(1.0, self._done / self._total))
        except BaseException as cause:
            with self._lock:
                self._cause = self._cause or cause
            raise
        return content

    def raise_cause(self) -> None:
        """Raises the exception that was kept; transformers raises another in its place."""
        if self._cause is not None:
            raise self._cause


class _LazyTensor:
    """A tensor in the state dict that is read when transformers' loader indexes it, as it does with
    the slices of a safetensors file."""

    def __init__(self, tensor: StoredTensor, progress: _Progress):
        self._tensor, self._progress = tensor, progress

    def __getitem__(self, index: Any) -> Tensor:
        return self._progress.read(self._tensor)[index]

    def get_shape(self) -> list[int]:
        """As transformers asks a slice of a safetensors file."""
        return list(self._tensor.shape)


def quantize_layers(
    model: Any, kind: WeightFormat, device: torch.device, stop: threading.Event
) -> None:
    """Quantizes the matrices of the language model's layers on `device`, one by one.

    Where our own loop runs the model the output head gets integers of 8 bits, as LLaVA-1.5's.
    Raises Cancelled once `stop` is set.
    """
    linears = list(_linears(model))
    if decoder_obstacle(model) is None:
        linears.append((model, "lm_head", model.lm_head))
    for parent, name, linear in linears:
        if stop.is_set():
            raise Cancelled("Loading was cancelled.")
        own = WeightFormat.INT8 if parent is model else kind
        weight = quantize(linear.weight.data.to(device), own)
        bias = None if linear.bias is None else linear.bias.data.to(device)
        setattr(parent, name, QuantizedLinear(weight, bias))
    reorder_for_cpu(model)


def _linears(model: Any) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """Yields (parent, name, module) of the language model's linear layers, the head excepted."""
    language = getattr(model.model, "language_model", None)
    if language is None:
        language = getattr(model.model, "text_model", model.model)
    for parent in language.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                yield parent, name, child
