"""What metadata says of people is sent to a server on another computer only after consent."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from PySide6.QtCore import QCoreApplication

from core.captions.variables import personal_variables
from core.files import is_folder
from core.model_reference import server_model
from core.remote.address import is_this_machine
from core.settings import Settings


class MetadataConsent:
    """The folders for whose images a person has given consent, once each; kept in the settings."""

    def __init__(self, settings: Settings):
        self._settings = settings

    def covers(self, places: Iterable[Path]) -> bool:
        """Returns whether it was given for all of these folders and files."""
        given = [Path(folder) for folder in self._settings.metadata_folders]
        places = list(places)
        return bool(places) and all(
            any(place.is_relative_to(folder) for folder in given) for place in places
        )

    def give(self, places: Iterable[Path]) -> None:
        """Takes note of it, for whole folders."""
        folders = {str(place if is_folder(place) else place.parent) for place in places}
        known = self._settings.metadata_folders
        self._settings.metadata_folders = [*known, *sorted(folders - set(known))]


def far_server(model: str) -> str:
    """Returns the hosts that a model runs on, if one of them is another computer; else ""."""
    named = server_model(model)
    if named is None or all(is_this_machine(address) for address, _ in named.addresses):
        return ""
    return named.hosts


def refusal(
    model: str,
    prompts: Sequence[str],
    places: Iterable[Path] = (),
    consent: MetadataConsent | None = None,
) -> str:
    """Returns why a model must not be asked `prompts` whose variables are filled in from the images
    in these folders; "" if it may."""
    server = far_server(model)
    personal = personal_variables(" ".join(prompts))
    if not server or not personal or (consent is not None and consent.covers(places)):
        return ""
    text = QCoreApplication.translate(
        "FolderRun",
        "The prompt would send {names} of your images to {server}. Allow it under Images > Prompt "
        "and notes, or choose a model on this computer.",
    )
    return text.format(names=names_of(personal), server=server)


def names_of(variables: Sequence[str]) -> str:
    """Returns variables as they stand in prompts."""
    return ", ".join(f"{{{name}}}" for name in variables)
