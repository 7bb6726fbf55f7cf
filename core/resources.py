"""Where the files lie that come with the program: icons, samples, presets, the built-in model."""

from __future__ import annotations

from pathlib import Path

# PyInstaller's `__file__` points into the folder that it unpacks, so this holds there too.
RESOURCES = Path(__file__).parents[1] / "resources"
SAMPLES = RESOURCES / "samples"
SAMPLE_THUMBNAILS = RESOURCES / "sample_thumbnails"
"""The middle square of each sample, by the same name: to read the samples takes longer."""
