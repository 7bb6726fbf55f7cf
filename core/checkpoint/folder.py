"""Finds a model's folder, and reads its settings or refuses it.

LLaVA-1.5 is published in two layouts: that of transformers (`LlavaForConditionalGeneration`), and
the original one (`LlavaLlamaForCausalLM`), whose vision tower has a folder of its own.
`model_type` does not distinguish them, because the original layout has used transformers' name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.checkpoint.llava_settings import (
    TEXT_SIZES,
    VIT_L_336,
    feature_layer,
    pixel_statistics,
    refusal,
    section,
    text_settings,
    vision_settings,
)
from core.checkpoint.safety import read_settings, require_possible, require_safe_folder
from core.errors import CheckpointError
from core.files import exists, is_file, is_folder
from core.message import translatable
from core.model_reference import folder_named, is_hub_id
from core.resources import RESOURCES
from core.transcript import BUILT_IN


def built_in_model() -> Path:
    """Returns the folder of the model that comes with the program, frozen or not."""
    return RESOURCES / "built_in_model"


def find_folder(model: str) -> Path:
    """Returns the folder of `model`: `BUILT_IN`, a path, or a hub id that is in the hub's cache.

    Raises CheckpointError if there is none.
    """
    if model == BUILT_IN:
        folder = built_in_model()
        if not is_folder(folder):
            raise CheckpointError(
                translatable(
                    "core",
                    "The built-in model is missing. Install Onlooker again.",
                )
            )
        return folder
    path = folder_named(model)
    if path and is_folder(path):
        return path
    if path and exists(path):
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” is a file. Choose the folder that holds the whole model.",
            ).format(name=path.name)
        )
    if cached := _cached(model):
        return cached
    hub_id = model if is_hub_id(model) else ""
    text = translatable("core", "There is no model “{name}”. Choose the folder that holds it.")
    if hub_id:
        text = translatable(
            "core",
            "The model “{name}” is not on this computer. Download it, or choose another one.",
        )
    raise CheckpointError(text.format(name=model), hub_id)


def _cached(hub_id: str) -> Path | None:
    """Returns the snapshot of `hub_id` in the hub's cache, without network access."""
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    try:
        config = try_to_load_from_cache(hub_id, "config.json")
    except HFValidationError:
        return None
    return Path(config).parent if isinstance(config, str) else None


WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""Names of a weights file, which its index and shards extend. The first one that exists is read."""


def has_weights(folder: Path) -> bool:
    """Whether the folder has weights in one of the formats that Onlooker reads."""
    return any(
        is_file(folder / name) or is_file(folder / f"{name}.index.json") for name in WEIGHT_FILES
    )


@dataclass(frozen=True)
class Checkpoint:
    """Everything needed to load and run a LLaVA-1.5. `text` and `vision` are validated settings.

    `tower` is the folder of the vision tower in the original layout, None in transformers'.
    `has_own_tower`: the weights hold a fine-tuned tower, which replaces that in `tower`.
    `prompt_length` is the maximum prompt length in positions, None if the checkpoint does not say.
    `adapter` is the folder of a LoRA, and `folder` then holds its base model.
    """

    folder: Path
    tower: Path | None
    text: dict[str, Any]
    vision: dict[str, Any]
    feature_layer: int
    prompt_length: int | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    has_own_tower: bool = False
    adapter: Path | None = None


def read_config(folder: Path) -> dict[str, Any]:
    """Checks that a model's folder is safe, and returns its config.json.

    Raises CheckpointError for a folder that is unsafe, incomplete or quantised.
    """
    if not is_file(folder / "config.json"):
        if is_file(folder / "mm_projector.bin"):
            raise refusal(folder, translatable("core", "it holds only a projector"))
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” is not a model's folder. Choose the folder with config.json "
                "and the weights.",
            ).format(folder=folder.name)
        )
    require_safe_folder(folder)
    config = read_settings(folder / "config.json")
    require_possible(folder, config)
    # Dequantised weights would differ from those that were trained.
    if config.get("quantization_config"):
        raise refusal(folder, translatable("core", "its weights are already quantised"))
    return config


def read_checkpoint(folder: Path, config: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """Reads the settings of a LLaVA-1.5. Pass `config` if config.json has been read already.

    Returns None for another architecture, which transformers may know. Raises CheckpointError if
    the folder holds no model that either can run.
    """
    config = read_config(folder) if config is None else config
    if is_file(folder / "adapter_config.json") or is_file(folder / "non_lora_trainables.bin"):
        return _read_adapter(folder, config)
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list):
        raise refusal(folder, translatable("core", "it does not say what it holds"))
    if "LlavaForConditionalGeneration" in architectures:
        return _read_transformers_layout(folder, config) if _is_plain(config) else None
    tower = config.get("mm_vision_tower") or config.get("vision_tower")
    if "LlavaLlamaForCausalLM" in architectures or (not architectures and tower):
        return _read_original_layout(folder, config, tower)
    if not architectures or "mm_vision_tower" in config:
        named = architectures[0] if architectures else config.get("model_type", "")
        text = translatable("core", "its architecture is {name}")
        unnamed = translatable("core", "it names no architecture")
        raise refusal(folder, text.format(name=named) if named else unnamed)
    return None


def _is_plain(config: Mapping[str, Any]) -> bool:
    """Returns whether a `LlavaForConditionalGeneration` is built as LLaVA-1.5 is."""
    text, vision = section(config, "text_config"), section(config, "vision_config")
    return (
        text.get("model_type", "llama") == "llama"
        and vision.get("model_type", "clip_vision_model") == "clip_vision_model"
        and config.get("projector_hidden_act", "gelu") == "gelu"
        and config.get("vision_feature_select_strategy", "default") == "default"
        and isinstance(config.get("vision_feature_layer", -2), int)
    )


def _read_transformers_layout(folder: Path, config: Mapping[str, Any]) -> Checkpoint:
    text, vision = section(config, "text_config"), section(config, "vision_config")
    tied = bool(config.get("tie_word_embeddings") or text.get("tie_word_embeddings"))
    mean, std = pixel_statistics(folder)
    return Checkpoint(
        folder=folder,
        tower=None,
        text=text_settings(folder, {**text, "tie_word_embeddings": tied}),
        vision=vision_settings(folder, {**VIT_L_336, **vision}),
        feature_layer=feature_layer(folder, config.get("vision_feature_layer", -2), vision),
        prompt_length=None,
        mean=mean,
        std=std,
    )


def _read_original_layout(folder: Path, config: Mapping[str, Any], tower: Any) -> Checkpoint:
    _require_llava_1_5(folder, config)
    tower_folder = _find_tower(folder, tower)
    vision = _read_tower(folder, tower_folder)
    mean, std = pixel_statistics(tower_folder)
    return Checkpoint(
        folder=folder,
        tower=tower_folder,
        text=text_settings(folder, config),
        vision=vision_settings(tower_folder, vision),
        feature_layer=feature_layer(folder, config.get("mm_vision_select_layer", -2), vision),
        prompt_length=config.get("tokenizer_model_max_length"),
        mean=mean,
        std=std,
        has_own_tower=bool(config.get("unfreeze_mm_vision_tower")),
    )


def _require_llava_1_5(folder: Path, config: Mapping[str, Any]) -> None:
    """Raises CheckpointError for the relatives of LLaVA-1.5 that have its original layout."""
    if str(config.get("image_aspect_ratio")).startswith("anyres") or (
        config.get("mm_patch_merge_type", "flat") != "flat"
    ):
        reason = translatable("core", "it is LLaVA-1.6, which cuts images into tiles")
        raise refusal(folder, reason)
    if config.get("mm_use_im_start_end"):
        reason = translatable("core", "it puts marks around the image, by mm_use_im_start_end")
        raise refusal(folder, reason)
    if config.get("mm_projector_type") != "mlp2x_gelu":
        reason = translatable("core", "its projector is {named}, where LLaVA-1.5 has mlp2x_gelu")
        named = config.get("mm_projector_type", "linear")
        raise refusal(folder, reason.format(named=named))
    if config.get("mm_vision_select_feature", "patch") != "patch":
        raise refusal(folder, translatable("core", "it selects other image features"))
    missing = [name for name in TEXT_SIZES if name not in config]
    if missing:
        raise CheckpointError(
            translatable(
                "core",
                "config.json in “{folder}” lacks {names}. Download it again.",
            ).format(folder=folder.name, names=", ".join(missing))
        )


def _read_tower(folder: Path, tower: Path) -> Mapping[str, Any]:
    """Returns the settings of the vision tower in `tower`, which belongs to the model `folder`."""
    require_safe_folder(tower)
    config = read_settings(tower / "config.json")
    vision = config.get("vision_config", config)
    if not isinstance(vision, Mapping):
        raise refusal(folder, translatable("core", "its vision tower has no settings"))
    if vision.get("model_type", "clip_vision_model") != "clip_vision_model":
        reason = translatable("core", "its vision tower is {model_type}, not CLIP")
        raise refusal(folder, reason.format(model_type=vision["model_type"]))
    return vision


def _read_adapter(folder: Path, config: Mapping[str, Any]) -> Checkpoint:
    """Reads a LoRA of the original code, whose config.json describes the merged model."""
    tower = config.get("mm_vision_tower")
    if not tower:
        raise refusal(
            folder,
            translatable(
                "core",
                "it is an adapter for another model than the original LLaVA",
            ),
        )
    whole = _read_original_layout(folder, config, tower)
    path = folder / "adapter_config.json"
    base = _find_base(
        folder, read_settings(path).get("base_model_name_or_path") if is_file(path) else None
    )
    require_safe_folder(base)
    return replace(whole, folder=base, adapter=folder)


def _find_base(folder: Path, named: Any) -> Path:
    """Returns the base model of a LoRA: at the path named, in a sibling folder, or in the cache."""
    if not isinstance(named, str) or not named:
        raise refusal(
            folder,
            translatable(
                "core",
                "it is an adapter that does not name its base model",
            ),
        )
    places = (folder / named, folder.parent / Path(named).name)
    if found := _first_with_weights(places, named):
        return found
    raise CheckpointError(
        translatable(
            "core",
            "“{folder}” is a LoRA for the model “{named}”, which is not on this "
            "computer. Download that model, or put its folder beside it as “{name}”.",
        ).format(folder=folder.name, named=named, name=Path(named).name),
        named if is_hub_id(named) else "",
    )


def _first_with_weights(places: Iterable[Path], named: str) -> Path | None:
    """Returns the first place that holds weights, or else the cache's folder for `named`."""
    for place in places:
        if has_weights(place):
            return place
    cached = _cached(named)
    return cached if cached and has_weights(cached) else None


def _find_tower(folder: Path, named: Any) -> Path:
    """Returns the vision tower's folder: at the path named, near the weights, or in the cache."""
    if not isinstance(named, str) or not named:
        raise refusal(
            folder,
            translatable(
                "core",
                "it does not name its vision tower, in mm_vision_tower",
            ),
        )
    name = Path(named).name
    places = (folder / named, folder / name, folder.parent / name)
    described = (place for place in places if is_file(place / "config.json"))
    if found := _first_with_weights(described, named):
        return found
    raise CheckpointError(
        translatable(
            "core",
            "The vision tower “{named}” is not on this computer. Download it, or put "
            "its folder into “{folder}” as “{name}”.",
        ).format(named=named, folder=folder.name, name=name),
        named if is_hub_id(named) else "",
    )
