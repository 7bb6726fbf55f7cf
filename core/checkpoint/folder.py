"""Finds a model's folder, and reads its settings or refuses it.

LLaVA-1.5 is published in two layouts: that of transformers (`LlavaForConditionalGeneration`), and
the original one (`LlavaLlamaForCausalLM`), whose vision tower has a folder of its own.
`model_type` does not distinguish them, because the original layout has used transformers' name too.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from core.checkpoint.safety import read_settings, require_possible, require_safe_folder
from core.errors import CheckpointError
from core.files import exists, is_folder
from core.message import translatable
from core.model_reference import folder_named, is_hub_id
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD
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
        (folder / name).is_file() or (folder / f"{name}.index.json").is_file()
        for name in WEIGHT_FILES
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
    if not (folder / "config.json").is_file():
        if (folder / "mm_projector.bin").is_file():
            raise _refusal(folder, translatable("core", "it holds only a projector"))
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
        raise _refusal(folder, translatable("core", "its weights are already quantised"))
    return config


def read_checkpoint(folder: Path, config: Mapping[str, Any] | None = None) -> Checkpoint | None:
    """Reads the settings of a LLaVA-1.5. Pass `config` if config.json has been read already.

    Returns None for another architecture, which transformers may know. Raises CheckpointError if
    the folder holds no model that either can run.
    """
    config = read_config(folder) if config is None else config
    if (folder / "adapter_config.json").is_file() or (folder / "non_lora_trainables.bin").is_file():
        return _read_adapter(folder, config)
    architectures = config.get("architectures") or []
    if not isinstance(architectures, list):
        raise _refusal(folder, translatable("core", "it does not say what it holds"))
    if "LlavaForConditionalGeneration" in architectures:
        return _read_transformers_layout(folder, config) if _is_plain(config) else None
    tower = config.get("mm_vision_tower") or config.get("vision_tower")
    if "LlavaLlamaForCausalLM" in architectures or (not architectures and tower):
        return _read_original_layout(folder, config, tower)
    if not architectures or "mm_vision_tower" in config:
        named = architectures[0] if architectures else config.get("model_type", "")
        text = translatable("core", "its architecture is {name}")
        unnamed = translatable("core", "it names no architecture")
        raise _refusal(folder, text.format(name=named) if named else unnamed)
    return None


def _refusal(folder: Path, why: str) -> CheckpointError:
    return CheckpointError(
        translatable(
            "core",
            "Onlooker cannot run “{folder}” ({reason}). Choose a whole LLaVA-1.5, or "
            "another model as transformers publishes it.",
        ).format(folder=folder.name, reason=why)
    )


def _is_plain(config: Mapping[str, Any]) -> bool:
    """Returns whether a `LlavaForConditionalGeneration` is built as LLaVA-1.5 is."""
    text, vision = _section(config, "text_config"), _section(config, "vision_config")
    return (
        text.get("model_type", "llama") == "llama"
        and vision.get("model_type", "clip_vision_model") == "clip_vision_model"
        and config.get("projector_hidden_act", "gelu") == "gelu"
        and config.get("vision_feature_select_strategy", "default") == "default"
        and isinstance(config.get("vision_feature_layer", -2), int)
    )


def _section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    section = config.get(name)
    return section if isinstance(section, Mapping) else {}


def _read_transformers_layout(folder: Path, config: Mapping[str, Any]) -> Checkpoint:
    text, vision = _section(config, "text_config"), _section(config, "vision_config")
    tied = bool(config.get("tie_word_embeddings") or text.get("tie_word_embeddings"))
    mean, std = _pixel_statistics(folder)
    return Checkpoint(
        folder=folder,
        tower=None,
        text=_text_settings(folder, {**text, "tie_word_embeddings": tied}),
        vision=_vision_settings(folder, {**_VIT_L_336, **vision}),
        feature_layer=_feature_layer(folder, config.get("vision_feature_layer", -2), vision),
        prompt_length=None,
        mean=mean,
        std=std,
    )


def _read_original_layout(folder: Path, config: Mapping[str, Any], tower: Any) -> Checkpoint:
    if str(config.get("image_aspect_ratio")).startswith("anyres") or (
        config.get("mm_patch_merge_type", "flat") != "flat"
    ):
        raise _refusal(
            folder,
            translatable(
                "core",
                "it is LLaVA-1.6, which cuts images into tiles",
            ),
        )
    if config.get("mm_use_im_start_end"):
        raise _refusal(
            folder,
            translatable(
                "core",
                "it puts marks around the image, by mm_use_im_start_end",
            ),
        )
    if config.get("mm_projector_type") != "mlp2x_gelu":
        named = config.get("mm_projector_type", "linear")
        raise _refusal(
            folder,
            translatable(
                "core",
                "its projector is {named}, where LLaVA-1.5 has mlp2x_gelu",
            ).format(named=named),
        )
    if config.get("mm_vision_select_feature", "patch") != "patch":
        raise _refusal(folder, translatable("core", "it selects other image features"))
    missing = [name for name in _SIZES if name not in config]
    if missing:
        raise CheckpointError(
            translatable(
                "core",
                "config.json in “{folder}” lacks {names}. Download it again.",
            ).format(folder=folder.name, names=", ".join(missing))
        )
    tower_folder = _find_tower(folder, tower)
    require_safe_folder(tower_folder)
    tower_config = read_settings(tower_folder / "config.json")
    vision = tower_config.get("vision_config", tower_config)
    if not isinstance(vision, Mapping):
        raise _refusal(folder, translatable("core", "its vision tower has no settings"))
    if vision.get("model_type", "clip_vision_model") != "clip_vision_model":
        raise _refusal(
            folder,
            translatable(
                "core",
                "its vision tower is {model_type}, not CLIP",
            ).format(model_type=vision["model_type"]),
        )
    mean, std = _pixel_statistics(tower_folder)
    return Checkpoint(
        folder=folder,
        tower=tower_folder,
        text=_text_settings(folder, config),
        vision=_vision_settings(tower_folder, vision),
        feature_layer=_feature_layer(folder, config.get("mm_vision_select_layer", -2), vision),
        prompt_length=config.get("tokenizer_model_max_length"),
        mean=mean,
        std=std,
        has_own_tower=bool(config.get("unfreeze_mm_vision_tower")),
    )


def _read_adapter(folder: Path, config: Mapping[str, Any]) -> Checkpoint:
    """Reads a LoRA of the original code, whose config.json describes the merged model."""
    tower = config.get("mm_vision_tower")
    if not tower:
        raise _refusal(
            folder,
            translatable(
                "core",
                "it is an adapter for another model than the original LLaVA",
            ),
        )
    whole = _read_original_layout(folder, config, tower)
    path = folder / "adapter_config.json"
    base = _find_base(
        folder, read_settings(path).get("base_model_name_or_path") if path.is_file() else None
    )
    require_safe_folder(base)
    return replace(whole, folder=base, adapter=folder)


def _find_base(folder: Path, named: Any) -> Path:
    """Returns the base model of a LoRA: at the path named, in a sibling folder, or in the cache."""
    if not isinstance(named, str) or not named:
        raise _refusal(
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
        raise _refusal(
            folder,
            translatable(
                "core",
                "it does not name its vision tower, in mm_vision_tower",
            ),
        )
    name = Path(named).name
    places = (folder / named, folder / name, folder.parent / name)
    described = (place for place in places if (place / "config.json").is_file())
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


# ---- settings ----------------------------------------------------------------------------------

_SIZES = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
)
# transformers' defaults for settings that its layout leaves out: Llama 7B and CLIP ViT-L/14-336.
_LLAMA: dict[str, Any] = {
    "vocab_size": 32000,
    "hidden_size": 4096,
    "intermediate_size": 11008,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": None,
    "head_dim": None,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "rms_norm_eps": 1e-6,
    "attention_bias": False,
    "mlp_bias": False,
    "tie_word_embeddings": False,
}
_VIT_L_336: dict[str, Any] = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "image_size": 336,
    "patch_size": 14,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
    "projection_dim": 768,
}
# LLaVA-1.5 has 24; each patch attends to each other one.
_MOST_PATCHES_OF_A_SIDE = 128
_LARGEST = {"num_hidden_layers": 1_000, "image_size": 4_096}


def _text_settings(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all settings of Llama, since a later transformers may have other defaults."""
    settings = {name: given.get(name, default) for name, default in _LLAMA.items()}
    rope = given.get("rope_parameters")
    if rope is None:
        scaling = _section(given, "rope_scaling")
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        rope = {"rope_theta": given.get("rope_theta", 10000.0), **scaling, "rope_type": kind}
    settings["rope_parameters"] = rope
    _require_sizes(folder, settings, (*_SIZES, "max_position_embeddings"))
    return settings


def _vision_settings(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    names = [name for name in _VIT_L_336 if name not in ("layer_norm_eps", "hidden_act")]
    settings = {name: given.get(name, default) for name, default in _VIT_L_336.items()}
    _require_sizes(folder, settings, names)
    if settings["image_size"] > _MOST_PATCHES_OF_A_SIDE * settings["patch_size"]:
        raise _refusal(
            folder,
            translatable(
                "core",
                "it cuts an image of {image_size} pixels a side into patches of {patch_size}",
            ).format(image_size=settings["image_size"], patch_size=settings["patch_size"]),
        )
    return settings


def _require_sizes(folder: Path, settings: Mapping[str, Any], names: Sequence[str]) -> None:
    for name in names:
        value = settings[name]
        if not isinstance(value, int) or not 1 <= value <= _LARGEST.get(name, 1_000_000):
            raise CheckpointError(
                translatable(
                    "core",
                    "config.json in “{folder}” has an impossible {name} ({value}). Download it "
                    "again.",
                ).format(folder=folder.name, name=name, value=f"{value!r}")
            )


def _feature_layer(folder: Path, layer: Any, vision: Mapping[str, Any]) -> int:
    count = vision.get("num_hidden_layers", _VIT_L_336["num_hidden_layers"])
    if not isinstance(count, int) or not isinstance(layer, int) or not -count - 1 <= layer <= count:
        raise _refusal(
            folder,
            translatable(
                "core",
                "it takes image features from layer {layer}",
            ).format(layer=f"{layer!r}"),
        )
    return layer


def _pixel_statistics(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Returns mean and standard deviation per channel, CLIP's unless the folder has others."""
    path = folder / "preprocessor_config.json"
    given = read_settings(path) if path.is_file() else {}
    return _colours(path, given, "image_mean", CLIP_MEAN), _colours(
        path, given, "image_std", CLIP_STD
    )


def _colours(
    path: Path, given: Mapping[str, Any], name: str, usual: tuple[float, ...]
) -> tuple[float, ...]:
    values = given.get(name) or usual
    is_three = isinstance(values, list | tuple) and len(values) == 3
    if not is_three or not all(
        isinstance(value, int | float) and -10 < value < 10 and (name == "image_mean" or value > 0)
        for value in values
    ):
        raise CheckpointError(
            translatable(
                "core",
                "“{name}” has an impossible {key} ({values}). Download it again.",
            ).format(name=path.name, key=name, values=f"{values!r}")
        )
    return tuple(float(value) for value in values)
