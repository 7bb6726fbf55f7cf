from core.resources import SAMPLE_THUMBNAILS
from gui.app.packaged_resources import sample_pictures
from gui.picture.empty_page import LARGE_SAMPLE_SIDE
from gui.widgets.preview import thumbnail


def test_each_sample_comes_with_its_thumbnail():
    """`python packaging/train_built_in_model samples` writes both."""
    side = 2 * LARGE_SAMPLE_SIDE
    samples = sample_pictures()
    assert {one.name for one in samples} == {one.name for one in SAMPLE_THUMBNAILS.iterdir()}
    for path in samples:
        kept = SAMPLE_THUMBNAILS / path.name
        assert thumbnail(kept, side) == thumbnail(path, side), path.name
