"""Models from the Hugging Face hub, and the models that are on this computer.

`download` looks a model up and downloads it, `listing` decides which of its files are needed,
`location` says where they are stored, `access_token` keeps the token for gated models. `catalogue`
is the short list of models known to run here, `library` lists what is here or available with its
memory need, `files` moves, checks and removes local models, and `jobs` describes such work while
it goes on. Nothing here imports torch before it is needed.
"""

from core.hub.access_token import AccessToken
from core.hub.client import Hub, HubModel, look_up, with_access_token
from core.hub.download import fetch
from core.hub.files import move_model, remove_model
from core.hub.jobs import DownloadOptions, JobKind, JobState, ModelJob, Progress
from core.hub.library import (
    DeviceMemory,
    Entry,
    LocalModel,
    Where,
    device_memory,
    find_models,
    list_entries,
)
from core.hub.location import hub_id_in
from core.hub.verification import check_model

__all__ = [
    "AccessToken",
    "DeviceMemory",
    "DownloadOptions",
    "Entry",
    "Hub",
    "HubModel",
    "JobKind",
    "JobState",
    "LocalModel",
    "ModelJob",
    "Progress",
    "Where",
    "check_model",
    "device_memory",
    "fetch",
    "find_models",
    "hub_id_in",
    "list_entries",
    "look_up",
    "move_model",
    "remove_model",
    "with_access_token",
]
