"""A model's own processor: its tokenizer, its image processor and its chat template."""

from __future__ import annotations

import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, Idefics3Processor, PreTrainedConfig, ProcessorMixin
from transformers.models.auto.processing_auto import PROCESSOR_MAPPING
from transformers.utils.import_utils import is_torchvision_available

from core.chat.quiet import first_line
from core.errors import CheckpointError
from core.message import translatable

# transformers 5.17 says that the image processors of these need torchvision, and has them for PIL.
_NAMED_AS_TORCHVISION = ("idefics2", "idefics3", "smolvlm")


def load_processor(folder: Path, settings: PreTrainedConfig) -> Any:
    """Returns the model's own processor, with its tokenizer and an image processor that uses PIL.

    Raises CheckpointError if it cannot be made, or has no chat template.
    """
    kind: Any = _kind(settings)
    if kind is None:
        raise CheckpointError(
            translatable(
                "core",
                "transformers has no image processor for {kind}. Choose another model.",
            ).format(kind=settings.model_type)
        )
    stills: Any = without_video(kind)
    here: dict[str, Any] = {"local_files_only": True, "trust_remote_code": False}
    try:
        if settings.model_type in _NAMED_AS_TORCHVISION:
            parts = [_image_processor(folder, settings.model_type)]
            parts.append(AutoTokenizer.from_pretrained(folder, **here))
            known, _ = stills.get_processor_dict(folder, local_files_only=True)
            processor = stills.from_args_and_dict(parts, known)
        else:
            processor = stills.from_pretrained(folder, backend="pil", **here)
    except MemoryError:
        raise
    except Exception as error:
        # Each of the many tokenizers and image processors has its own exceptions.
        raise CheckpointError(
            translatable(
                "core",
                "The tokenizer or image processor of “{folder}” cannot be used ({reason}). "
                "Download all files of the model again.",
            ).format(folder=folder.name, reason=first_line(error))
        ) from error
    if not (processor.chat_template or getattr(processor.tokenizer, "chat_template", None)):
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” has no chat template. Choose a model that is trained to follow "
                "instructions.",
            ).format(folder=folder.name)
        )
    return processor


def _kind(settings: PreTrainedConfig) -> Any:
    """transformers' class for the processor; None if it has none."""
    if getattr(getattr(settings, "vision_config", None), "model_type", None) == "pixtral":
        return _pixtral_processor()
    return PROCESSOR_MAPPING.get(type(settings), None)


def _pixtral_processor() -> Any:
    """Pixtral's, whose module takes a function from the image processor that needs torchvision."""
    package = "transformers.models.pixtral"
    if not is_torchvision_available():
        # The one that uses PIL has the same function.
        pil = import_module(f"{package}.image_processing_pil_pixtral")
        sys.modules.setdefault(f"{package}.image_processing_pixtral", pil)
    return import_module(f"{package}.processing_pixtral").PixtralProcessor


def _image_processor(folder: Path, model_type: str) -> Any:
    """The image processor that uses PIL, from the module named after the model."""
    module = import_module(f"transformers.models.{model_type}.image_processing_pil_{model_type}")
    (kind,) = (one for name, one in vars(module).items() if name.endswith("ImageProcessorPil"))
    return kind.from_pretrained(folder, local_files_only=True)


def without_video(kind: type[ProcessorMixin]) -> type[ProcessorMixin]:
    """Returns `kind` without its video processor, which needs torchvision and is never used here.

    transformers reads from the parameters of `__init__` which parts a processor has.
    """
    if kind.__name__ == "SmolVLMProcessor":
        # It does the same for pictures, without the library that writes frame numbers as words.
        return Idefics3Processor
    signature = inspect.signature(kind.__init__)
    if "video_processor" not in signature.parameters:
        return kind
    others = [one for name, one in signature.parameters.items() if name != "video_processor"]
    names = [one.name for one in others[1:]]

    def __init__(self: Any, *parts: Any, **more: Any) -> None:  # noqa: N807 (of the class below)
        given = dict(zip(names, parts, strict=False)) | more
        kind.__init__(self, video_processor=None, **given)

    def validate_init_kwargs(processor_config: Any, valid_kwargs: Any) -> Any:
        # By name, since the code object of the `__init__` above has none of the parameters.
        return kind.validate_init_kwargs(processor_config, [one.name for one in others])

    described: Any = __init__
    described.__signature__ = signature.replace(parameters=others)
    own = {"__init__": __init__, "validate_init_kwargs": staticmethod(validate_init_kwargs)}
    bases: Any = (kind, _NoVideoProcessor)
    return type(kind.__name__, bases, own)


class _NoVideoProcessor(ProcessorMixin):
    """Some kinds pass on by name what they are given, but this is none of their parts here."""

    def __init__(self, *parts: Any, **more: Any):
        more.pop("video_processor", None)
        super().__init__(*parts, **more)


def chat_template_of(processor: Any) -> tuple[str, dict[str, Any]]:
    """Returns the model's chat template, and the special tokens that it may name.

    Raises CheckpointError if there is none.
    """
    for owner in (processor, processor.tokenizer):
        template = getattr(owner, "chat_template", None)
        if isinstance(template, dict):
            template = template.get("default")
        if isinstance(template, str):
            return template, {
                name: [str(one) for one in token] if isinstance(token, list) else str(token)
                for name, token in processor.tokenizer.special_tokens_map.items()
            }
    raise CheckpointError(
        translatable(
            "core",
            "The model has several chat templates and no default. Choose another model.",
        )
    )
