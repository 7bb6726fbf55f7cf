"""Opens a model's folder as an engine, on the device and in the precision chosen."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from core.checkpoint.folder import Checkpoint, find_folder, read_checkpoint, read_config
from core.checkpoint.folder import built_in_model as built_in_model
from core.checkpoint.llava_model import empty_model, rebuild_buffers, weight_sources
from core.checkpoint.loading import load_weights
from core.checkpoint.lora import merge
from core.checkpoint.safety import read_settings, require_layers_in
from core.checkpoint.weights import count_tensors, find_weights
from core.device.choice import (
    choose_device,
    choose_dtype,
    device_name,
    device_note,
    is_out_of_memory,
    lower_precision,
    out_of_memory,
    precision_of,
    require_fit,
)
from core.device.memory import cards, free_memory, memory_need
from core.device.offload import MaxMemory, dispatch, max_memory
from core.engine import BEFORE_WEIGHTS, EngineFacts
from core.errors import Cancelled, CheckpointError, OutOfMemory
from core.llava.tokenizer import Tokenizer
from core.message import translatable
from core.model_reference import folder_named
from core.transcript import BUILT_IN, ModelChoice, Precision, WeightFormat
from core.vetting.vetting import Vetting, begin_vetting
from core.vocabulary import Vocabulary

if TYPE_CHECKING:
    from core.chat.engine import ChatEngine
    from core.chat.model import ChatModel
    from core.llava.engine import LlavaEngine

    LocalEngine = LlavaEngine | ChatEngine

_END_BYTES = 2**16
# Of the built-in model.
_VOCABULARY = "vocabulary.txt"
# The fraction of loading that is done once all weights are read.
_WEIGHTS_END = 0.98


def open_engine(
    choice: ModelChoice,
    on_progress: Callable[[float, str], None],
    stop: threading.Event,
    vetting: Vetting | None = None,
) -> LocalEngine:
    """Loads the chosen model; blocks, and calls `on_progress(fraction, stage)` from this thread.

    `vetting` is what `begin_vetting` returned for the choice, where that was called before torch
    was imported; it is begun here otherwise, and ended in either case. Raises CheckpointError,
    OutOfMemory, and Cancelled once `stop` is set.
    """
    try:
        with vetting or begin_vetting(choice) as begun:
            return _open_vetted(choice, on_progress, stop, begun)
    except MemoryError as error:
        raise OutOfMemory(
            translatable(
                "core",
                "There is not enough free memory for this model. Close other programs, or "
                "choose a smaller model.",
            )
        ) from error


def _open_vetted(
    choice: ModelChoice,
    on_progress: Callable[[float, str], None],
    stop: threading.Event,
    vetting: Vetting,
) -> LocalEngine:
    on_progress(0.0, translatable("core", "Reading the model's folder"))
    folder = find_folder(choice.model)
    config = read_config(folder)
    checkpoint = read_checkpoint(folder, config)
    device = choose_device(choice.device)
    opening = _Opening(choice, folder, config, device, on_progress, stop, vetting)
    opening.end_if_stopped()
    engine = _open_llava_engine(opening, checkpoint) if checkpoint else _open_chat_engine(opening)
    if choice.quantizes_cache and not engine.facts.quantizes_cache:
        note = translatable("core", "This model's KV cache cannot be kept in 8 bits.")
        engine.facts = replace(engine.facts, notes=(*engine.facts.notes, note))
    return engine


@dataclass(frozen=True, eq=False)
class _Opening:
    """What is being opened, where to, and how to report progress and stop."""

    choice: ModelChoice
    folder: Path
    config: Mapping[str, Any]
    device: torch.device
    on_progress: Callable[[float, str], None]
    stop: threading.Event
    vetting: Vetting

    def require_tried(self) -> None:
        """Waits until the folder has been tried. Raises CheckpointError if it must not be used."""
        if not self.vetting.is_decided:
            self.on_progress(0.01, translatable("core", "Checking the model's files"))
        self.vetting.wait(self.stop)

    def report_loading(self, fraction: float) -> None:
        """Reports the fraction of the weights that is loaded."""
        done = BEFORE_WEIGHTS + (_WEIGHTS_END - BEFORE_WEIGHTS) * fraction
        self.on_progress(done, translatable("core", "Loading the weights"))

    def end_if_stopped(self) -> None:
        """Raises Cancelled once `stop` is set."""
        if self.stop.is_set():
            raise Cancelled("Loading was cancelled.")

    def facts(self, *, precision: Precision, memory_bytes: int, context_length: int) -> EngineFacts:
        """Returns the facts of the loaded model, `memory_bytes` being the size of its weights."""
        is_built_in = self.choice.model == BUILT_IN
        note = device_note(self.choice.device)
        return EngineFacts(
            model=translatable("core", "Built-in model")
            if is_built_in
            else _model_name(self.choice.model, self.folder),
            device=str(self.device),
            device_name=device_name(self.device),
            dtype=precision,
            memory_bytes=memory_bytes,
            context_length=context_length,
            knows_only_drawings=is_built_in,
            fingerprint=_fingerprint(self.folder),
            notes=(note,) if note else (),
            vocabulary=Vocabulary.read(self.folder / _VOCABULARY) if is_built_in else None,
        )

    def distribute(
        self, model: nn.Module, limits: MaxMemory | None, facts: EngineFacts
    ) -> EngineFacts:
        """Distributes the model over devices if there are `limits`; returns facts that say so."""
        if limits is None:
            return facts
        note = dispatch(model, limits, self.device.index or 0)
        return replace(facts, notes=(*facts.notes, note), is_split=True)


def _open_llava_engine(opening: _Opening, checkpoint: Checkpoint) -> LlavaEngine:
    choice, device = opening.choice, opening.device
    opening.require_tried()
    tokenizer = Tokenizer.load(checkpoint.folder)

    # Takes seconds the first time, so everything wrong with the folder is reported before.
    opening.on_progress(0.02, translatable("core", "Loading libraries"))
    from core.llava.engine import LlavaEngine

    _require_layers(opening, checkpoint)
    model = empty_model(checkpoint, tokenizer.size)
    opening.end_if_stopped()

    opening.on_progress(BEFORE_WEIGHTS, translatable("core", "Reading the weights"))
    locations = find_weights(model, weight_sources(checkpoint))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    dtype, kind = choose_dtype(choice.dtype, device, parameters), choice.dtype.weight_format
    if checkpoint.adapter and kind:
        raise _quantized_lora(opening.folder)
    sizes = {"text_config": checkpoint.text, "vision_config": checkpoint.vision}
    limits = _memory_limits(choice, sizes, _precision(dtype, kind), device, parameters)
    load_device = torch.device("cpu") if limits else device
    opening.end_if_stopped()

    load_weights(model, locations, load_device, dtype, opening.report_loading, opening.stop, kind)
    opening.end_if_stopped()

    opening.on_progress(_WEIGHTS_END, translatable("core", "Preparing the model"))
    if checkpoint.adapter:
        merge(model, checkpoint.adapter)
    rebuild_buffers(model, load_device)
    model.eval().requires_grad_(False)
    facts = opening.facts(
        precision=precision_of(dtype, kind),
        memory_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        context_length=checkpoint.text["max_position_embeddings"],
    )
    engine = LlavaEngine(
        model,
        tokenizer,
        opening.distribute(model, limits, facts),
        prompt_length=checkpoint.prompt_length,
        mean=checkpoint.mean,
        std=checkpoint.std,
        quantizes_cache=choice.quantizes_cache,
    )
    opening.on_progress(1.0, "Ready")
    return engine


def _quantized_lora(folder: Path) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "“{folder}” is a LoRA, which needs 16-bit weights. Choose 16-bit precision.",
        ).format(folder=folder.name)
    )


def _require_layers(opening: _Opening, checkpoint: Checkpoint) -> None:
    require_layers_in(opening.folder, opening.config, count_tensors(checkpoint.folder))
    if checkpoint.tower:
        tower = read_settings(checkpoint.tower / "config.json")
        require_layers_in(checkpoint.tower, tower, count_tensors(checkpoint.tower))


def _open_chat_engine(opening: _Opening) -> ChatEngine:
    """Opens a model of another architecture, which transformers runs."""
    opening.on_progress(0.02, translatable("core", "Loading libraries"))
    from core.chat.engine import ChatEngine
    from core.chat.loading import load_chat_model
    from core.chat.model import read_chat_model

    device = opening.device
    opening.on_progress(BEFORE_WEIGHTS, translatable("core", "Reading the weights"))
    read = read_chat_model(opening.folder, opening.config, opening.require_tried)
    opening.end_if_stopped()
    dtype, kind = _chat_precision(opening.choice.dtype, device, read)
    precision = _precision(dtype, kind)
    limits = _memory_limits(opening.choice, opening.config, precision, device, read.parameters)
    load_device = torch.device("cpu") if limits else device
    try:
        model = load_chat_model(
            read, load_device, dtype, kind, opening.report_loading, opening.stop
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(device, error, lower_precision(precision)) from error
    opening.on_progress(_WEIGHTS_END, translatable("core", "Preparing the model"))
    tensors = (*model.parameters(), *model.buffers())
    facts = opening.facts(
        precision=precision_of(dtype, kind),
        memory_bytes=sum(tensor.nbytes for tensor in tensors),
        context_length=read.context_length,
    )
    facts = replace(facts, most_pictures=read.most_pictures)
    engine = ChatEngine(
        model,
        read.processor,
        opening.distribute(model, limits, facts),
        end_ids=read.end_ids,
        quantizes_cache=opening.choice.quantizes_cache,
    )
    opening.on_progress(1.0, "Ready")
    return engine


def _precision(dtype: torch.dtype, kind: WeightFormat | None) -> Precision:
    """The precision as far as the memory need depends on it: both dtypes of 16 bits are one."""
    if kind:
        return Precision(kind)
    return Precision.FLOAT32 if dtype.itemsize == 4 else Precision.BITS_16


def _chat_precision(
    wanted: Precision, device: torch.device, read: ChatModel
) -> tuple[torch.dtype, WeightFormat | None]:
    """Returns the dtype to compute in, and the format of quantized matrices, None for none.

    Newer models were trained in bfloat16, and the activations of some exceed the range of float16.
    """
    kind = wanted.weight_format
    if kind or wanted in (Precision.AUTO, Precision.BITS_16):
        own = choose_dtype(wanted, device, read.parameters)
        if device.type == "cuda":
            stored = getattr(read.model.config, "dtype", None)
            return torch.float16 if stored == torch.float16 else torch.bfloat16, kind
        return own, kind
    return choose_dtype(wanted, device, read.parameters), None


def _memory_limits(
    choice: ModelChoice,
    sizes: Mapping[str, Any],
    precision: Precision,
    device: torch.device,
    parameters: int,
) -> MaxMemory | None:
    """Returns how much memory of each device a model may use that is too large for `device`.

    None if it fits. Raises OutOfMemory if it may not be distributed, or if all memory together is
    too little.
    """
    try:
        require_fit(sizes, precision, device, parameters)
    except OutOfMemory:
        # Quantized matrices cannot be moved to another device.
        if not choice.may_spread or device.type != "cuda" or precision.weight_bits:
            raise
        need = memory_need(sizes, precision, device=device.type, parameters=parameters)
        limits = max_memory(need, device.index or 0, cards(), free_memory("cpu"))
        if limits is None:
            raise
        return limits
    return None


def _model_name(model: str, folder: Path) -> str:
    return folder.resolve().name if folder_named(model) else model


def _fingerprint(folder: Path) -> str:
    """Identifies a model without reading all of it: by its files' names, sizes, and both ends."""
    digest = hashlib.sha256()
    kinds = ("*.safetensors", "*.bin", "*.json")
    for path in sorted(path for kind in kinds for path in folder.glob(kind)):
        size = path.stat().st_size
        digest.update(f"{path.name} {size}\n".encode())
        with path.open("rb") as file:
            digest.update(file.read(_END_BYTES))
            file.seek(max(0, size - _END_BYTES))
            digest.update(file.read(_END_BYTES))
    return digest.hexdigest()[:16]
