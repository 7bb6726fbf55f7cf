"""A model's folder is opened as an Engine: loaded, on the device and in the precision chosen."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from core.checkpoint.folder import Checkpoint, find_folder, read_checkpoint, read_config
from core.checkpoint.folder import built_in_model as built_in_model
from core.checkpoint.loading import load_weights
from core.checkpoint.lora import TRAINED_WHOLE, from_trained_whole, merge
from core.checkpoint.safety import read_settings, require_layers_in
from core.checkpoint.weights import (
    Source,
    count_tensors,
    find_weights,
    from_clip,
    from_original,
    from_original_with_tower,
    from_transformers,
)
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
from core.engine import EngineFacts
from core.errors import Cancelled, CheckpointError, OutOfMemory
from core.llava.tokenizer import Tokenizer
from core.transcript import BUILT_IN, ModelChoice, Precision

if TYPE_CHECKING:
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration

    from core.chat.engine import ChatEngine
    from core.chat.model import ChatModel
    from core.llava.engine import LlavaEngine

    LocalEngine = LlavaEngine | ChatEngine

_END_BYTES = 2**16


def open_engine(
    choice: ModelChoice, on_progress: Callable[[float, str], None], stop: threading.Event
) -> LocalEngine:
    """Load the chosen model; blocks, and calls `on_progress(fraction, stage)` from this thread.

    Raises CheckpointError, OutOfMemory, and Cancelled once `stop` is set.
    """
    on_progress(0.0, "Reading the model's folder")
    folder = find_folder(choice.model)
    config = read_config(folder)
    checkpoint = read_checkpoint(folder, config)
    device = choose_device(choice.device)
    _end_if(stop)
    if checkpoint is None:
        return _open_chat_engine(choice, folder, config, device, on_progress, stop)
    tokenizer = Tokenizer.load(checkpoint.folder)

    # Seconds at the first time, so what is wrong with the folder has been said before.
    on_progress(0.02, "Starting transformers")
    from core.llava.engine import LlavaEngine

    require_layers_in(folder, config, count_tensors(checkpoint.folder))
    if checkpoint.tower:
        tower = read_settings(checkpoint.tower / "config.json")
        require_layers_in(checkpoint.tower, tower, count_tensors(checkpoint.tower))
    model = _empty_model(checkpoint, tokenizer)
    _end_if(stop)

    on_progress(0.1, "Looking through the weights")
    places = find_weights(model, _sources(checkpoint))
    parameters = sum(parameter.numel() for parameter in model.parameters())
    dtype, bits = choose_dtype(choice.dtype, device, parameters), choice.dtype.weight_bits
    sizes = {"text_config": checkpoint.text, "vision_config": checkpoint.vision}
    if checkpoint.adapter and bits:
        raise CheckpointError(
            f"“{folder.name}” is a LoRA, which goes into weights of 16 bits. Choose 16 bits."
        )
    room = _room(choice, sizes, _precision(dtype, bits), device, parameters)
    place = torch.device("cpu") if room else device
    _end_if(stop)

    load_weights(
        model,
        places,
        place,
        dtype,
        lambda fraction: on_progress(0.1 + 0.88 * fraction, "Loading the weights"),
        stop,
        bits,
    )
    _end_if(stop)

    on_progress(0.98, "Making the model ready")
    if checkpoint.adapter:
        merge(model, checkpoint.adapter)
    rebuild_buffers(model, place)
    model.eval().requires_grad_(False)
    facts = _facts(
        choice,
        folder,
        device,
        precision=precision_of(dtype, bits),
        memory_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        context_length=checkpoint.text["max_position_embeddings"],
    )
    if room:
        note = dispatch(model, room, device.index or 0)
        facts = replace(facts, notes=(*facts.notes, note))
    engine = LlavaEngine(
        model,
        tokenizer,
        facts,
        prompt_length=checkpoint.prompt_length,
        mean=checkpoint.mean,
        std=checkpoint.std,
    )
    on_progress(1.0, "Ready")
    return engine


def _open_chat_engine(
    choice: ModelChoice,
    folder: Path,
    config: Mapping[str, Any],
    device: torch.device,
    on_progress: Callable[[float, str], None],
    stop: threading.Event,
) -> ChatEngine:
    """The same for another architecture, which transformers runs."""
    on_progress(0.02, "Starting transformers")
    from core.chat.engine import ChatEngine
    from core.chat.loading import load_chat_model
    from core.chat.model import read_chat_model

    on_progress(0.1, "Looking through the weights")
    read = read_chat_model(folder, config)
    _end_if(stop)
    dtype, bits = _chat_precision(choice.dtype, device, read)
    precision = _precision(dtype, bits)
    room = _room(choice, config, precision, device, read.parameters)
    try:
        model = load_chat_model(
            read,
            torch.device("cpu") if room else device,
            dtype,
            bits,
            lambda fraction: on_progress(0.1 + 0.88 * fraction, "Loading the weights"),
            stop,
        )
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        raise out_of_memory(device, error, lower_precision(precision)) from error
    on_progress(0.98, "Making the model ready")
    tensors = (*model.parameters(), *model.buffers())
    facts = _facts(
        choice,
        folder,
        device,
        precision=precision_of(dtype, bits),
        memory_bytes=sum(tensor.nbytes for tensor in tensors),
        context_length=read.context_length,
    )
    if room:
        note = dispatch(model, room, device.index or 0)
        facts = replace(facts, notes=(*facts.notes, note))
    engine = ChatEngine(
        model,
        read.processor,
        replace(facts, most_pictures=read.most_pictures),
        end_ids=read.end_ids,
    )
    on_progress(1.0, "Ready")
    return engine


def _precision(dtype: torch.dtype, bits: int | None) -> Precision:
    """The precision as the memory need depends on it: any dtype of 16 bits is the same."""
    if bits:
        return Precision(f"{bits}-bit")
    return Precision.FLOAT32 if dtype.itemsize == 4 else Precision.BITS_16


def _chat_precision(
    wanted: Precision, device: torch.device, read: ChatModel
) -> tuple[torch.dtype, int | None]:
    """The dtype to compute in, and in how many bits the layers' matrices lie, None for the dtype's.

    The newer models were trained in bfloat16, and some of them leave the range of float16.
    """
    bits = wanted.weight_bits
    if bits or wanted in (Precision.AUTO, Precision.BITS_16):
        if device.type == "cuda":
            stored = getattr(read.model.config, "dtype", None)
            return torch.float16 if stored == torch.float16 else torch.bfloat16, bits
        return choose_dtype(Precision.AUTO, device, read.parameters), bits
    return choose_dtype(wanted, device, read.parameters), None


def _room(
    choice: ModelChoice,
    sizes: Mapping[str, Any],
    precision: Precision,
    device: torch.device,
    parameters: int,
) -> MaxMemory | None:
    """Where a model lies that is too large for `device`, when it may spread; None when it fits.

    Raises OutOfMemory when there is no room for it.
    """
    try:
        require_fit(sizes, precision, device, parameters)
    except OutOfMemory:
        # What is quantised is bound to one device.
        if not choice.may_spread or device.type != "cuda" or precision.weight_bits:
            raise
        need = memory_need(sizes, precision, device=device.type, parameters=parameters)
        room = max_memory(need, device.index or 0, cards(), free_memory("cpu"))
        if room is None:
            raise
        return room
    return None


def _facts(
    choice: ModelChoice,
    folder: Path,
    device: torch.device,
    *,
    precision: Precision,
    memory_bytes: int,
    context_length: int,
) -> EngineFacts:
    is_built_in = choice.model == BUILT_IN
    note = device_note(choice.device)
    return EngineFacts(
        model="Built-in model" if is_built_in else _model_name(choice.model, folder),
        device=str(device),
        device_name=device_name(device),
        dtype=precision,
        memory_bytes=memory_bytes,
        context_length=context_length,
        knows_only_drawings=is_built_in,
        fingerprint=_fingerprint(folder),
        notes=(note,) if note else (),
    )


def _end_if(stop: threading.Event) -> None:
    if stop.is_set():
        raise Cancelled("Loading was cancelled.")


def _model_name(model: str, folder: Path) -> str:
    return folder.resolve().name if Path(model).is_dir() else model


def _fingerprint(folder: Path) -> str:
    """Tells one model from another without reading all of it: names, sizes, and both ends."""
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


# ---- the model ---------------------------------------------------------------------------------


def _empty_model(checkpoint: Checkpoint, tokenizer: Tokenizer) -> LlavaForConditionalGeneration:
    """The model on the meta device: sizes without memory.

    Its vocabulary is the tokenizer's. transformers' layout pads the tables with rows that would
    otherwise take part in sampling; the image needs none, as its features are spliced in.
    """
    from huggingface_hub.errors import StrictDataclassError
    from transformers.models.clip.configuration_clip import CLIPVisionConfig
    from transformers.models.llama.configuration_llama import LlamaConfig
    from transformers.models.llava.configuration_llava import LlavaConfig
    from transformers.models.llava.modeling_llava import LlavaForConditionalGeneration

    if tokenizer.size > checkpoint.text["vocab_size"]:
        raise CheckpointError(
            f"The tokenizer has {tokenizer.size} pieces and the model knows "
            f"{checkpoint.text['vocab_size']}. Copy the model's own tokenizer files into it."
        )
    try:
        config = LlavaConfig(
            text_config=LlamaConfig(**{**checkpoint.text, "vocab_size": tokenizer.size}),
            vision_config=CLIPVisionConfig(**checkpoint.vision),
            vision_feature_layer=checkpoint.feature_layer,
            tie_word_embeddings=checkpoint.text["tie_word_embeddings"],
        )
        config._attn_implementation = "sdpa"
        with torch.device("meta"):
            return LlavaForConditionalGeneration(config)
    except (StrictDataclassError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise CheckpointError(
            f"The settings in config.json do not make a model ({error}). Download it again."
        ) from error


def _sources(checkpoint: Checkpoint) -> list[Source]:
    if checkpoint.tower is None:
        return [Source(checkpoint.folder, from_transformers)]
    rename = from_original_with_tower if checkpoint.has_own_tower else from_original
    sources = [Source(checkpoint.tower, from_clip), Source(checkpoint.folder, rename)]
    if checkpoint.adapter and (checkpoint.adapter / TRAINED_WHOLE).is_file():
        sources.append(Source(checkpoint.adapter, from_trained_whole, TRAINED_WHOLE))
    return sources


def rebuild_buffers(model: LlavaForConditionalGeneration, device: torch.device) -> None:
    """What is computed and not loaded: rotary frequencies and the positions of patches."""
    language_model = model.model.language_model
    language_model.rotary_emb = type(language_model.rotary_emb)(language_model.config).to(device)
    for module in model.model.vision_tower.modules():
        if "position_ids" in module._buffers:
            count = module._buffers["position_ids"].shape[-1]
            module.register_buffer(
                "position_ids", torch.arange(count, device=device)[None], persistent=False
            )
    unfilled = [name for name, buffer in model.named_buffers() if buffer.is_meta]
    if unfilled:
        raise CheckpointError(
            f"This version of transformers computes {', '.join(unfilled)}, which Onlooker does "
            "not know. Install the version that Onlooker asks for."
        )
