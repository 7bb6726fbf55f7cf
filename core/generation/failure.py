"""A failure of the model or its device becomes an error with a sentence for the user."""

from __future__ import annotations

import gc
import traceback

import torch

from core.device.choice import is_out_of_memory, lower_precision, out_of_memory
from core.errors import AppError, EngineError
from core.message import translatable
from core.transcript import Precision


def engine_failure(failure: BaseException, device: torch.device, dtype: Precision) -> AppError:
    """Returns the error to raise for a failure of the model on `device`, and frees its memory.

    `dtype` is the one in the engine's facts.
    """
    # The frames of the failed run hold its tensors.
    traceback.clear_frames(failure.__traceback__)
    release_memory()
    if isinstance(failure, AppError):
        return failure
    if is_out_of_memory(failure):
        return out_of_memory(device, failure, lower_precision(dtype))
    return EngineError(
        translatable(
            "core",
            "The model failed while answering ({error}). Ask again, or reload the model.",
        ).format(error=type(failure).__name__)
    )


def broken_numbers() -> EngineError:
    """Returns the error of a model that computes infinities, or what is not a number."""
    return EngineError(
        translatable(
            "core",
            "The model computed invalid numbers. Load it in another precision.",
        )
    )


def closed_engine() -> EngineError:
    """Returns the error to raise where an engine is asked after it was closed."""
    return EngineError(
        translatable(
            "core",
            "The model was unloaded. Load it again, then ask.",
        )
    )


def release_memory() -> None:
    """Collects garbage and returns the cached memory of freed tensors to the GPU."""
    gc.collect()
    if torch.cuda.is_initialized():
        torch.cuda.empty_cache()
