"""Builds a model on the meta device, where it has shapes but takes no memory, within bounds.

How much there is to build follows from numbers in config.json. Files can bear some of them out, as
they hold the tensors; a million modules without tensors, or a buffer that is computed, they cannot.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.modules.module import register_module_module_registration_hook
from transformers import PreTrainedConfig

from core.chat.configuration import invalid_config, lacking_library
from core.chat.quiet import quiet
from core.errors import CheckpointError
from core.formatting import format_bytes
from core.message import translatable

# The largest models have some 10,000 modules, which take a second, and buffers of some megabytes.
_MOST_MODULES = 200_000
_MOST_SECONDS = 15
_MOST_BUFFER_BYTES = 500_000_000


def empty_model(kind: type, settings: PreTrainedConfig) -> Any:
    """Returns a model of this kind on the meta device.

    Raises CheckpointError for settings that make no model, or one that is impossibly large.
    """
    try:
        with torch.device("meta"), quiet(), _bounded():
            model = kind(settings)
    except CheckpointError:
        raise
    except ImportError as error:
        raise lacking_library(kind.__name__, error) from error
    except Exception as error:
        raise invalid_config(error) from error
    computed = sum(buffer.numel() * buffer.itemsize for buffer in model.buffers())
    if computed > _MOST_BUFFER_BYTES:
        raise CheckpointError(
            translatable(
                "core",
                "config.json asks for {size} of computed tables, far too much for a model. "
                "Download it again.",
            ).format(size=format_bytes(computed))
        )
    return model


@contextmanager
def _bounded() -> Iterator[None]:
    """Raises CheckpointError in the constructor that adds one module too many, or takes too long.

    The hook is torch's for all threads: only one model is built at a time.
    """
    count, end = 0, time.monotonic() + _MOST_SECONDS

    def on_module(*_: object) -> None:
        nonlocal count
        count += 1
        if count > _MOST_MODULES or time.monotonic() > end:
            raise CheckpointError(
                translatable(
                    "core",
                    "config.json describes far too many parts. Download it again.",
                )
            )

    hook = register_module_module_registration_hook(on_module)
    try:
        yield
    finally:
        hook.remove()
