"""The configuration that transformers makes of a config.json, without torch and without code."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import PreTrainedConfig
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

from core.chat.quiet import first_line, quiet
from core.errors import CheckpointError
from core.message import translatable

# With these a config.json could make transformers fetch kernels, read other files, or change the
# model in ways that nobody asked for. None of them describes a model.
_IGNORED_SETTINGS = (
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


_LONGEST_NAME = 80


def read_configuration(folder: Path, config: Mapping[str, Any]) -> PreTrainedConfig:
    """Returns transformers' configuration of the architecture. Raises CheckpointError."""
    kind = config.get("model_type")
    if not isinstance(kind, str) or kind not in CONFIG_MAPPING:
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” is of an unknown kind ({architecture}). Choose another model, "
                "or update Onlooker.",
            ).format(folder=folder.name, architecture=architecture_named_in(config))
        )
    try:
        with quiet():
            settings = CONFIG_MAPPING[kind].from_dict(_cleaned(config))
    except ModuleNotFoundError as error:
        # The packaged program leaves out most of the families that transformers knows.
        raise CheckpointError(
            translatable(
                "core",
                "“{folder}” is of a kind that this package leaves out ({architecture}). "
                "Choose another model, or run Onlooker from source.",
            ).format(folder=folder.name, architecture=architecture_named_in(config))
        ) from error
    except ImportError as error:
        raise lacking_library(architecture_named_in(config), error) from error
    except Exception as error:
        # Each of the many configuration classes has its own checks and exceptions.
        raise invalid_config(error) from error
    settings._attn_implementation = "sdpa"
    return settings


def invalid_config(error: Exception) -> CheckpointError:
    """What to say when transformers cannot make a model, or its configuration, of config.json."""
    return CheckpointError(
        translatable(
            "core",
            "config.json describes no valid model ({reason}). Download it again.",
        ).format(reason=first_line(error))
    )


def lacking_library(kind: str, error: ImportError) -> CheckpointError:
    """What to say of a model with a part that is in another library than transformers."""
    return CheckpointError(
        translatable(
            "core",
            "{kind} needs a library that Onlooker lacks ({reason}). Choose another model.",
        ).format(kind=kind, reason=first_line(error))
    )


def _cleaned(value: Any) -> Any:
    """The settings without those that are ignored, at every level."""
    if isinstance(value, Mapping):
        return {
            key: _cleaned(inside) for key, inside in value.items() if key not in _IGNORED_SETTINGS
        }
    return value


def architecture_named_in(config: Mapping[str, Any]) -> str:
    """Returns what a config.json calls its architecture, for a sentence."""
    architectures = config.get("architectures")
    if isinstance(architectures, list) and architectures:
        return str(architectures[0])[:_LONGEST_NAME]
    return str(config.get("model_type") or "another model")[:_LONGEST_NAME]
