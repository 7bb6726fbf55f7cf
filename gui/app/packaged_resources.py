"""What comes with the program for its window: prompts to choose from and sample pictures."""

from __future__ import annotations

import json
from pathlib import Path

from core.picture import find_pictures
from core.resources import RESOURCES, SAMPLES


def sample_pictures() -> list[Path]:
    """Return the sample pictures; [] in a package without them."""
    return find_pictures([SAMPLES]) if SAMPLES.is_dir() else []


def prompt_presets() -> list[tuple[str, str]]:
    """Return the (name, prompt) pairs that the prompt box offers, in order."""
    presets = json.loads((RESOURCES / "prompts.json").read_text(encoding="utf-8"))
    return [(preset["name"], preset["prompt"]) for preset in presets]
