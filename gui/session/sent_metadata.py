"""What metadata says of people is not sent to a server on another computer."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import QCoreApplication

from core.captions.variables import personal_variables
from core.model_reference import server_model
from core.remote.address import is_this_machine


def refusal(model: str, prompts: Sequence[str]) -> str:
    """Returns why a model must not be asked `prompts` whose variables are filled in from images;
    "" if it may."""
    named = server_model(model)
    if named is None or all(is_this_machine(address) for address, _ in named.addresses):
        return ""
    personal = personal_variables(" ".join(prompts))
    if not personal:
        return ""
    text = QCoreApplication.translate(
        "FolderRun",
        "The prompt would send {names} of your images to {server}. Leave them out, or choose a "
        "model on this computer.",
    )
    names = ", ".join(f"{{{name}}}" for name in personal)
    return text.format(names=names, server=named.hosts)
