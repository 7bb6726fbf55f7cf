"""What metadata says of people stays on this computer, in folder runs of the window."""

import pytest

from core.transcript import BUILT_IN
from gui.session.sent_metadata import refusal

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
