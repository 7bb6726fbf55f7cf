import threading

import pytest
from PIL import Image

from core.open_engine import open_engine
from core.picture import Picture
from core.transcript import ModelChoice, Precision
from tests.support.preloaded import compiled


@pytest.fixture(scope="session")
def opened():
    """Load a folder as float32 on the processor."""

    def load(folder, dtype="float32", on_progress=lambda fraction, stage: None, stop=None):
        choice = ModelChoice(str(folder), device="cpu", dtype=Precision(dtype))
        return open_engine(choice, on_progress, stop or threading.Event())

    return load


@pytest.fixture(scope="session")
def engine(opened, tiny_original_layout):
    """A tiny LLaVA-1.5 with random weights, opened."""
    engine = opened(tiny_original_layout)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def shim(tmp_path_factory):
    """The library that kills, compiled."""
    return compiled("kill_points.c", tmp_path_factory.mktemp("shim"))


@pytest.fixture(scope="session")
def picture():
    pixels = Image.radial_gradient("L").resize((100, 70)).convert("RGB")
    return Picture(path=None, pixels=pixels, original_size=(100, 70))
