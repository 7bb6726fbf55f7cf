"""What `core.picture.colour` needs from Pillow beyond its public API."""

import pytest
from PIL import Image

from core.picture.colour import plain_object


@pytest.fixture
def opened(tmp_path):
    path = tmp_path / "grey.png"
    Image.new("RGB", (4, 3), (1, 2, 3)).save(path, dpi=(72, 72))
    with Image.open(path) as image:
        image.load()
        yield image


def test_pillow_still_shares_the_memory_of_an_image():
    """If not, pictures still open, but each is copied once: look for a public way to share."""
    assert hasattr(Image.Image(), "_new")


def test_plain_object_has_the_pixels_but_not_the_file(opened):
    plain = plain_object(opened)
    assert type(plain) is Image.Image
    assert (plain.size, plain.getpixel((0, 0))) == ((4, 3), (1, 2, 3))


def test_pixels_are_copied_when_pillow_shares_no_memory(opened, monkeypatch):
    copied = opened.copy()
    monkeypatch.setattr(opened, "copy", lambda: copied)
    monkeypatch.setattr(Image.Image, "_new", None)
    assert plain_object(opened) is copied
