"""A folder run in a terminal whose disk fills up while images are being opened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.support.tiny_llava import write_original_layout

resource = pytest.importorskip("resource")

ROOT = Path(__file__).parents[3]
# Room for the run's first lines and a few captions.
LARGEST_FILE = 6_000


@pytest.mark.slow
def test_full_disk_ends_the_run_with_its_sentence_while_images_are_still_opened(tmp_path):
    model, images = tmp_path / "model", tmp_path / "images"
    write_original_layout(model)
    images.mkdir()
    Image.effect_noise((60, 40), 90).save(images / "00.png")
    Image.effect_noise((4000, 3000), 90).save(images / "01.png")  # Opening it takes a while.
    for number in range(2, 30):
        os.link(images / f"{number % 2:02}.png", images / f"{number:02}.png")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))

    command = [sys.executable, "-m", "core.terminal", "caption", images, "--write", "txt"]
    ended = subprocess.run(
        [*command, "--model", model, "--max-new-tokens", "8", "--slots", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=limit,
        env=os.environ | {"ONLOOKER_HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert ended.returncode == 1, ended.stderr
    assert "The disk is full" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Error" not in ended.stderr
    # All that was written is whole.
    assert all(path.read_text() for path in images.glob("*.txt"))
