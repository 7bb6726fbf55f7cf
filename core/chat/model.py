"""A model of another architecture is loaded: through transformers, and never with its own code.

transformers builds it and knows what its published names mean; the tensors come through our own
reading, so that loading tells how far it is, can be cancelled, and is checked before memory is
taken.
"""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoTokenizer,
    Idefics3Processor,
    PreTrainedConfig,
    ProcessorMixin,
)
from transformers.models.auto.configuration_auto import CONFIG_MAPPING
from transformers.models.auto.modeling_auto import MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils import logging

from core.checkpoint.safety import read_settings, require_layers_in
from core.checkpoint.weights import open_shard, reading, weight_files
from core.errors import Cancelled, CheckpointError
from core.llava.quantized import QuantizedLinear, quantize, reorder_for_processor

# What a config.json could use to have transformers fetch kernels, read other files, or change
# the model in ways that were not asked for. None of it belongs to what a model is.
_NOT_OURS = (
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
    "fusion_config",
    "kernel_config",
    "distributed_config",
    "transformers_weights",
    "use_kernels",
)

# Models that have been trained to look at several pictures at once.
_SEES_SEVERAL = (
    "llava_onevision",
    "qwen2_vl",
    "qwen2_5_vl",
    "qwen3_vl",
    "idefics2",
    "idefics3",
    "smolvlm",
    "gemma3",
    "gemma3n",
    "gemma4",
    "internvl",
    "mistral3",
)
MOST_PICTURES = 8
# Some 256,000 tokens are the most that a model reads.
_LONGEST_PROMPT = 8_000_000


@dataclass(frozen=True)
class ChatModel:
    """A model on the meta device, what prepares its inputs, and where its weights lie.

    `parameters` counts what the files hold, tied ones once; `bytes_stored` is their size there.
    """

    model: Any
    processor: Any
    stored: dict[str, StoredTensor]
    end_ids: tuple[int, ...]
    context_length: int
    most_pictures: int

    @property
    def parameters(self) -> int:
        """How many numbers the weights consist of."""
        return sum(tensor.count for tensor in self.stored.values())


def read_chat_model(folder: Path, config: Mapping[str, Any]) -> ChatModel:
    """Understand a folder whose `config` is none of LLaVA-1.5; takes no memory for weights yet.

    Raises CheckpointError for what transformers cannot run by itself, and what cannot be.
    """
    settings = _settings(folder, config)
    kind: Any = MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING.get(type(settings), None)
    if kind is None:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which does not answer questions about "
            "pictures. Choose another model."
        )
    kind = kind[0] if isinstance(kind, tuple) else kind
    architectures = config.get("architectures")
    if architectures and kind.__name__ not in architectures:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which the transformers in Onlooker does not "
            "know. Choose another model, or a newer Onlooker."
        )
    stored = _stored(folder)
    require_layers_in(folder, config, len(stored))
    model = _empty(kind, settings)
    _require_weights_for(model, stored, folder)
    processor = _processor(folder, settings)
    text = settings.get_text_config()
    return ChatModel(
        model,
        processor,
        stored,
        _end_ids(folder, settings, processor.tokenizer),
        int(getattr(text, "max_position_embeddings", None) or 4096),
        MOST_PICTURES if settings.model_type in _SEES_SEVERAL else 1,
    )


def load_chat_model(
    read: ChatModel,
    device: torch.device,
    dtype: torch.dtype,
    bits: int | None,
    on_fraction: Callable[[float], None],
    stop: threading.Event,
) -> Any:
    """The model with its weights on `device`; with `bits` 8 or 4 its layers' matrices are so.

    Raises Cancelled between two tensors once `stop` is set. What memory says is not caught.
    """
    progress = _Progress(sum(tensor.count for tensor in read.stored.values()), on_fraction, stop)
    tensors = {name: _Lazy(tensor, progress) for name, tensor in read.stored.items()}
    # Whole where it is to be quantised: the card then never holds a layer in 16 bits but one.
    place = torch.device("cpu") if bits else device
    try:
        with _quiet():
            model, report = type(read.model).from_pretrained(
                None,
                config=read.model.config,
                state_dict=tensors,
                dtype=dtype,
                device_map={"": place},
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
            "The weights do not fit what config.json says. Download the model's files again, all "
            "together."
        ) from error
    progress.raise_cause()
    if missing := sorted(report["missing_keys"]):
        raise CheckpointError(
            f"The weights lack {len(missing)} tensors: {', '.join(missing[:3])}"
            f"{' …' if len(missing) > 3 else ''}. Download the model again."
        )
    if bits:
        _quantize_layers(model, bits, device, stop)
        model.to(device)
    return model.eval().requires_grad_(False)


@contextmanager
def _quiet() -> Iterator[None]:
    """Within, transformers draws no bars and writes no reports: what counts of them is an error."""
    verbosity, has_bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if has_bars:
            logging.enable_progress_bar()


# ---- settings ----------------------------------------------------------------------------------


def _settings(folder: Path, config: Mapping[str, Any]) -> PreTrainedConfig:
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which the transformers in Onlooker does not "
            "know. Choose another model, or a newer Onlooker."
        )
    try:
        with _quiet():
            settings = CONFIG_MAPPING[kind].from_dict(_cleaned(config))
    except ModuleNotFoundError as error:
        # The packaged program leaves out most of the families that transformers knows.
        raise CheckpointError(
            f"“{folder.name}” holds {_named(config)}, which this package of Onlooker does not "
            "bring. Choose another model, or run Onlooker from its source."
        ) from error
    except Exception as error:
        # Each of the many classes has checks and failures of its own.
        raise CheckpointError(
            f"The settings in config.json do not make a model ({_first_line(error)}). Download it "
            "again."
        ) from error
    settings._attn_implementation = "sdpa"
    return settings


def _cleaned(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _cleaned(inside) for key, inside in value.items() if key not in _NOT_OURS}
    return value


def _named(config: Mapping[str, Any]) -> str:
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures:
        return str(architectures[0])
    return str(config.get("model_type") or "another model")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200].rstrip(".")


def _empty(kind: type, settings: PreTrainedConfig) -> Any:
    """The model on the meta device: sizes without memory."""
    try:
        with torch.device("meta"), _quiet():
            return kind(settings)
    except ImportError as error:
        raise CheckpointError(
            f"{kind.__name__} needs a library that Onlooker does not bring "
            f"({_first_line(error)}). Choose another model."
        ) from error
    except Exception as error:
        raise CheckpointError(
            f"The settings in config.json do not make a model ({_first_line(error)}). Download it "
            "again."
        ) from error


def _end_ids(folder: Path, settings: Any, tokenizer: Any) -> tuple[int, ...]:
    """The ids that end an answer, from wherever the checkpoint names them."""
    text = settings.get_text_config()
    named: list[Any] = [tokenizer.eos_token_id, getattr(text, "eos_token_id", None)]
    path = folder / "generation_config.json"
    if path.is_file():
        named.append(read_settings(path).get("eos_token_id"))
    flat = [one for some in named for one in (some if isinstance(some, list) else [some])]
    return tuple(sorted({one for one in flat if isinstance(one, int)}))


# ---- the processor -----------------------------------------------------------------------------


def _processor(folder: Path, settings: PreTrainedConfig) -> Any:
    kind: Any = PROCESSOR_MAPPING.get(type(settings), None)
    if kind is None:
        raise CheckpointError(
            f"transformers has no processor for {settings.model_type}. Choose another model."
        )
    stills: Any = _for_stills(kind)
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        if settings.model_type in _HIDDEN:
            parts = [_image_processor(folder, settings.model_type)]
            parts.append(AutoTokenizer.from_pretrained(folder, **here))
            known, _ = stills.get_processor_dict(folder, local_files_only=True)
            processor = stills.from_args_and_dict(parts, known)
        else:
            processor = stills.from_pretrained(folder, backend="pil", **here)
    except Exception as error:
        # Tokenizers, image processors and their many files each fail in ways of their own.
        raise CheckpointError(
            f"The tokenizer or image processor of “{folder.name}” cannot be used "
            f"({_first_line(error)}). Download the model's files again, all together."
        ) from error
    if not (processor.chat_template or getattr(processor.tokenizer, "chat_template", None)):
        raise CheckpointError(
            f"“{folder.name}” has no chat template, so nobody knows how to ask it. Choose a model "
            "that was trained to follow instructions."
        )
    return processor


# transformers 5.17 says that their image processors need torchvision; those of PIL are there.
_HIDDEN = ("idefics3", "smolvlm")


def _image_processor(folder: Path, model_type: str) -> Any:
    """The one that works with PIL, of the module that is named after the model."""
    module = import_module(f"transformers.models.{model_type}.image_processing_pil_{model_type}")
    (kind,) = (one for name, one in vars(module).items() if name.endswith("ImageProcessorPil"))
    return kind.from_pretrained(folder, local_files_only=True)


def _for_stills(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """`kind` without its part for videos, which needs torchvision and is never asked here.

    What a processor is made of, transformers reads from the parameters of its `__init__`.
    """
    if kind.__name__ == "SmolVLMProcessor":
        # The same for pictures, and without a library that spells numbers of frames.
        return Idefics3Processor
    signature = inspect.signature(kind.__init__)
    if "video_processor" not in signature.parameters:
        return kind
    others = [one for name, one in signature.parameters.items() if name != "video_processor"]

    def __init__(  # noqa: N807 (the class is made below)
        self: Any,
        image_processor: Any = None,
        tokenizer: Any = None,
        chat_template: Any = None,
        **more: Any,
    ) -> None:
        kind.__init__(
            self,
            image_processor=image_processor,
            tokenizer=tokenizer,
            video_processor=None,
            chat_template=chat_template,
            **more,
        )

    def validate_init_kwargs(processor_config: Any, valid_kwargs: Any) -> Any:
        # By name, since the code of the `__init__` above names no more than three.
        return kind.validate_init_kwargs(processor_config, [one.name for one in others])

    __init__.__signature__ = signature.replace(parameters=others)  # type: ignore[attr-defined]
    own = {"__init__": __init__, "validate_init_kwargs": staticmethod(validate_init_kwargs)}
    return type(kind.__name__, (kind,), own)


def render(processor: Any, messages: list[dict[str, Any]]) -> str:
    """The conversation as the model's own chat template writes it, open for the answer."""
    try:
        text = processor.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        if len(text) > _LONGEST_PROMPT:
            raise ValueError(f"it makes {len(text):,} letters of it")
        return text
    except Exception as error:
        # A template is a small program of anybody's, and fails in whatever way it likes.
        raise CheckpointError(
            f"The model's chat template does not take this conversation ({_first_line(error)}). "
            "Begin a new conversation, or choose another model."
        ) from error


# ---- weights -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class StoredTensor:
    """A tensor in a file: nothing of it is read before `read`."""

    path: Path
    name: str
    shape: tuple[int, ...]
    shard: Any

    @property
    def count(self) -> int:
        """How many numbers the tensor has."""
        return torch.Size(self.shape).numel()

    def read(self) -> Tensor:
        """Reads the tensor from its file. Raises CheckpointError if that is damaged."""
        with reading(self.path):
            return self.shard.tensor(self.name)


def _stored(folder: Path) -> dict[str, StoredTensor]:
    stored = {}
    for path, listed in weight_files(folder).items():
        shard = open_shard(path)
        present = set(shard.names())
        for name in sorted(present) if listed is None else listed:
            if name not in present:
                raise CheckpointError(
                    f"“{path.name}” does not hold {name}, as its index says. Download both again."
                )
            stored[name] = StoredTensor(path, name, shard.shape(name), shard)
    return stored


def _require_weights_for(
    model: nn.Module, stored: Mapping[str, StoredTensor], folder: Path
) -> None:
    """Raises when the settings describe another size of model than the files hold."""
    wanted = sum(parameter.numel() for parameter in model.parameters())
    held = sum(tensor.count for tensor in stored.values())
    if wanted > 1.02 * held + 1024:
        raise CheckpointError(
            f"config.json in “{folder.name}” describes a model of {_spoken(wanted)} parameters, "
            f"and its files hold {_spoken(held)}. Download the model's files again, all together."
        )


def _spoken(count: int) -> str:
    return f"{count / 1e9:.2f} billion" if count >= 10_000_000 else f"{count:,}"


class _Progress:
    """Counts what was read. What goes wrong in transformers' reading threads is kept here."""

    def __init__(self, total: int, on_fraction: Callable[[float], None], stop: threading.Event):
        self._total, self._on_fraction, self._stop = max(1, total), on_fraction, stop
        self._lock = threading.Lock()
        self._done = 0
        self._cause: BaseException | None = None

    def read(self, tensor: StoredTensor) -> Tensor:
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
        """transformers gathers failures, and then tells of one of its own."""
        if self._cause is not None:
            raise self._cause


class _Lazy:
    """Stands for a tensor in the state dict; the loader of transformers reads it by `[...]`, as it
    does with the slices of a safetensors file."""

    def __init__(self, tensor: StoredTensor, progress: _Progress):
        self._tensor, self._progress = tensor, progress

    def __getitem__(self, where: Any) -> Tensor:
        return self._progress.read(self._tensor)[where]

    def get_shape(self) -> list[int]:
        return list(self._tensor.shape)


def _quantize_layers(model: Any, bits: int, device: torch.device, stop: threading.Event) -> None:
    """The matrices of the language model's layers go to `device` in `bits`, one by one."""
    for parent, name, linear in list(_linears(model)):
        if stop.is_set():
            raise Cancelled("Loading was cancelled.")
        weight = quantize(linear.weight.data.to(device), bits)
        bias = None if linear.bias is None else linear.bias.data.to(device)
        setattr(parent, name, QuantizedLinear(weight, bias))
    reorder_for_processor(model)


def _linears(model: Any) -> Iterator[tuple[nn.Module, str, nn.Linear]]:
    """The language model's plain matrices, with where they hang; the head is not among them."""
    language = getattr(model.model, "language_model", None)
    if language is None:
        language = getattr(model.model, "text_model", model.model)
    for parent in language.modules():
        for name, child in parent.named_children():
            if type(child) is nn.Linear:
                yield parent, name, child
