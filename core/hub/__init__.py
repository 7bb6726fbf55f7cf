"""Models from the Hugging Face hub, and the models that are on this computer.

`client` asks the hub about a model and `download` downloads it; `refusals` says why the hub gave
nothing. `listing` decides which of a model's files are needed, `location` says where they are
stored, and `access_token` keeps the token for gated models. `catalogue` is the short list of models
known to run here, `local_models` finds those that are here, and `library` lists all of them with
their memory need. `files` moves and removes local models, `verification` checks them, `comparison`
compares their files with the hub's, and `jobs` describes such work while it goes on. Nothing here
imports torch before it is needed.
"""

from core.hub.access_token import AccessToken
from core.hub.client import Hub, HubModel, look_up, with_access_token
from core.hub.comparison import Comparison, FileState, compare_with_hub, downloaded_as
from core.hub.download import fetch
from core.hub.files import move_model, remove_model
from core.hub.jobs import DownloadOptions, JobKind, JobState, ModelJob
from core.hub.library import (
    DeviceMemory,
    Entry,
    device_memory,
    helpful_precisions,
    list_entries,
)
from core.hub.local_models import LocalModel, Where, find_models
from core.hub.verification import check_model
from core.transfer.meter import Progress

__all__ = [
    "AccessToken",
    "Comparison",
    "DeviceMemory",
    "DownloadOptions",
    "Entry",
    "FileState",
    "Hub",
    "HubModel",
    "JobKind",
    "JobState",
    "LocalModel",
    "ModelJob",
    "Progress",
    "Where",
    "check_model",
    "compare_with_hub",
    "device_memory",
    "downloaded_as",
    "fetch",
    "find_models",
    "helpful_precisions",
    "list_entries",
    "look_up",
    "move_model",
    "remove_model",
    "with_access_token",
]
