"""Models from the Hugging Face hub, and the models that are on this computer.

`download` looks a model up and fetches it, `listing` decides which of its files are needed,
`location` says where they are stored, `access_token` keeps the token for gated models. `catalogue` is
the short list of models known to run here, `library` lists what is here or available with its
memory need, and `files` moves, checks and removes local models. Nothing here imports torch before
it is needed.
"""

from core.hub.access_token import AccessToken
from core.hub.download import Found, Hub, Progress, fetch, known, look_up
from core.hub.files import check_model, move_model, remove_model
from core.hub.library import Entry, LocalModel, Room, Where, find_models, room_here, shelf
from core.hub.location import hub_id_in

__all__ = [
    "AccessToken",
    "Entry",
    "Found",
    "Hub",
    "LocalModel",
    "Progress",
    "Room",
    "Where",
    "check_model",
    "fetch",
    "find_models",
    "hub_id_in",
    "known",
    "look_up",
    "move_model",
    "remove_model",
    "room_here",
    "shelf",
]
