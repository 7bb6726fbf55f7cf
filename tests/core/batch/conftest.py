"""A folder of three images, and runs over it that are closed at the end of a test."""

from dataclasses import replace

import pytest
from PIL import Image

from core.batch import Batch


@pytest.fixture
def folder(tmp_path):
    """Pictures 1.png, 2.png and 3.png."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in (1, 2, 3):
        Image.new("RGB", (8, 6), "red").save(folder / f"{number}.png")
    return folder


@pytest.fixture
def journals(tmp_path):
    return tmp_path / "journals"


@pytest.fixture
def begin_run(folder, journals):
    """Begins a run over the folder, or over `roots`, with these options changed."""
    begun = []

    def begin(options, *roots, **changes):
        begun.append(Batch.begin(roots or [folder], replace(options, **changes), journals))
        return begun[-1]

    yield begin
    for batch in begun:
        batch.close()
