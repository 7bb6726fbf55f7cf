"""The settings of LLaVA-1.5's language model, vision tower and images, checked and completed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from core.checkpoint.safety import read_settings
from core.errors import CheckpointError
from core.message import translatable
from core.picture.pixel_values import CLIP_MEAN, CLIP_STD

TEXT_SIZES = (
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
VIT_L_336: dict[str, Any] = {
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


def text_settings(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all settings of Llama, since a later transformers may have other defaults.

    Raises CheckpointError for impossible sizes.
    """
    settings = {name: given.get(name, default) for name, default in _LLAMA.items()}
    rope = given.get("rope_parameters")
    if rope is None:
        scaling = section(given, "rope_scaling")
        kind = scaling.get("rope_type", scaling.get("type", "default"))
        rope = {"rope_theta": given.get("rope_theta", 10000.0), **scaling, "rope_type": kind}
    settings["rope_parameters"] = rope
    _require_sizes(folder, settings, (*TEXT_SIZES, "max_position_embeddings"))
    return settings


def vision_settings(folder: Path, given: Mapping[str, Any]) -> dict[str, Any]:
    """Returns all settings of CLIP's vision tower. Raises CheckpointError for impossible ones."""
    names = [name for name in VIT_L_336 if name not in ("layer_norm_eps", "hidden_act")]
    settings = {name: given.get(name, default) for name, default in VIT_L_336.items()}
    _require_sizes(folder, settings, names)
    if settings["image_size"] > _MOST_PATCHES_OF_A_SIDE * settings["patch_size"]:
        raise refusal(
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


def feature_layer(folder: Path, layer: Any, vision: Mapping[str, Any]) -> int:
    """Returns `layer`, checked to be one of the tower's, from which image features are taken."""
    count = vision.get("num_hidden_layers", VIT_L_336["num_hidden_layers"])
    if not isinstance(count, int) or not isinstance(layer, int) or not -count - 1 <= layer <= count:
        raise refusal(
            folder,
            translatable(
                "core",
                "it takes image features from layer {layer}",
            ).format(layer=f"{layer!r}"),
        )
    return layer


def pixel_statistics(folder: Path) -> tuple[tuple[float, ...], tuple[float, ...]]:
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


def section(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Returns the settings under `name`, {} if there are none."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def refusal(folder: Path, why: str) -> CheckpointError:
    """Returns the error for a model that is sound, but not one that Onlooker can run."""
    return CheckpointError(
        translatable(
            "core",
            "Onlooker cannot run “{folder}” ({reason}). Choose a whole LLaVA-1.5, or "
            "another model as transformers publishes it.",
        ).format(folder=folder.name, reason=why)
    )
