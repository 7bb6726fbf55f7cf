"""Files that an earlier Onlooker wrote (tests/data) are still read in full."""

import shutil
from contextlib import closing
from pathlib import Path

import pytest

from core.file_identity import FileIdentity
from core.hub import LocalModel, Where, find_models
from core.picture.part import PicturePart
from core.settings import Settings, load
from core.store import Store
from core.transcript import Answer, Ending, Exchange, Precision, TokenScore

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture
def samples(tmp_path) -> Path:
    """A copy that the code under test may write to."""
    return shutil.copytree(DATA, tmp_path / "samples")


def test_all_settings_of_an_earlier_version_are_kept(samples):
    settings = load(samples)
    assert settings.notes == ()
    assert settings == Settings(
        model="/models/llava", device="cuda:1", dtype=Precision.BITS_8, temperature=0.2, top_p=0.9,
        top_k=0, repetition_penalty=1.1, beams=2, max_new_tokens=64, seed=None, theme="dark",
        text_percent=150, window="AdnQywAD", last_folder="/Bilder/Größe", last_prompt="Warum?",
        prompt_history=["one", "two\nlines", "☃"], model_folders=["/models/llava"],
        checks_for_updates=True, updates_address="http://127.0.0.1/CHANGELOG.md",
        download_folder="/models", works_offline=True, underlines_doubt=False,
        may_spread=True, rest_minutes=5,
    )  # fmt: skip


def test_conversations_of_an_earlier_version_are_whole(samples):
    with closing(Store(samples / "transcripts.sqlite")) as store:
        assert store.notes == ()
        pasted, cat = (store.open(row.id) for row in store.recent())
        assert [row.id for row in store.recent(search="sits mat")] == [cat.id]
        assert store.recent(search="calmly") == []  # It was struck out.
    cat_answer = Answer(
        "A cat sits, calmly, on a red mat.", Ending.COMPLETE, 9, 1.5, 0.25, 620, (5, 6, 7), 0, 42
    )
    long = Answer("☃ 猫\n\n  end ", Ending.LENGTH, 64, 3.5, 0.5, 640, (8,), 1, None)
    scores = (TokenScore(b"It", -0.25, (("It", -0.25), ("A", -1.5))),)
    stopped = Answer("It", Ending.STOPPED, 1, 0.5, 0.5, 660, (9,), 2, 7, scores=scores)
    assert cat.exchanges == (
        Exchange("What is it?", cat_answer, "llava-1.5-7b-hf", ((10, 18), (24, 28))),
        Exchange("Why?", long, "llava-1.5-7b-hf", part=PicturePart(8, 6, 32, 24)),
        Exchange("And then?", stopped, "Built-in model"),
        Exchange("Failed?", None, "llava-1.5-7b-hf"),
    )
    assert cat.picture_path == Path("/pictures/cat.jpg")
    assert cat.original_size == (1280, 960)
    fingerprint = "2f-0123456789abcdef0123456789abcdef"
    assert cat.identity == FileIdentity(fingerprint, b"0A1B-2C3D /media/card")
    assert pasted.identity is None
    assert cat.thumbnail.startswith(b"\xff\xd8")
    assert pasted.picture_path is None
    assert [exchange.text for exchange in pasted.exchanges] == ["A drawing."]


def test_models_that_an_earlier_version_downloaded_are_found(samples):
    models = find_models([samples / "hub" / "folders"], samples / "hub" / "cache")
    found: dict[str, LocalModel] = {model.hub_id: model for model in models if model.hub_id}
    assert set(found) == {"someone/begun", "someone/whole", "someone/in-a-folder"}
    assert {model.licence for model in found.values()} == {"Apache 2.0"}
    begun, whole, in_a_folder = (
        found[f"someone/{name}"] for name in ("begun", "whole", "in-a-folder")
    )
    assert (begun.where, begun.size, begun.total) == (Where.CACHE, 1044, 2044)
    assert (whole.where, whole.size, whole.is_complete) == (Where.CACHE, 2044, True)
    assert (in_a_folder.where, in_a_folder.size, in_a_folder.is_complete) == (
        Where.FOLDER,
        2044,
        True,
    )
    assert in_a_folder.is_ours
