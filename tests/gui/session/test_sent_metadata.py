"""What metadata says of people stays on this computer, in folder runs of the window."""

import pytest

from core.settings import Settings
from core.transcript import BUILT_IN
from gui.session.sent_metadata import MetadataConsent, refusal

FAR, HERE = "http://gpubox:8000 #llava", "http://localhost:8000 #llava"


@pytest.mark.parametrize("model", [FAR, "http://localhost:8000 http://10.0.0.7:8000 #llava"])
def test_people_and_places_are_not_sent_to_another_computer(model):
    reason = refusal(model, ["Describe it.", "A photo of {people}[, in {place}]."])
    assert "{people}" in reason
    assert "{place}" in reason


@pytest.mark.parametrize(
    ("model", "prompt"),
    [(FAR, "Describe {name}, taken on {date}."), (HERE, "{people}"), (BUILT_IN, "{people}")],
)
def test_the_rest_and_what_stays_here_is_asked(model, prompt):
    assert refusal(model, [prompt]) == ""


def test_consent_is_for_whole_folders_and_for_no_others(tmp_path):
    (tmp_path / "a" / "sub").mkdir(parents=True)
    image = tmp_path / "a" / "1.png"
    image.touch()
    consent = MetadataConsent(Settings())
    consent.give([image])
    for places, is_covered in (
        ([tmp_path / "a"], True),
        ([tmp_path / "a" / "sub", image], True),
        ([tmp_path / "a", tmp_path], False),
        ([tmp_path / "ab"], False),
        ([], False),
    ):
        assert consent.covers(places) == is_covered, places
        assert bool(refusal(FAR, ["{people}"], places, consent)) != is_covered
