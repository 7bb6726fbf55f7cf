"""What names a model: a folder, an id at the hub, or the built-in model."""

import pytest

from core.model_reference import (
    ServerModel,
    folder_named,
    hub_id_in,
    is_hub_id,
    server_model,
    short_name,
)
from core.transcript import BUILT_IN


def test_absolute_path_is_a_folder_even_if_it_is_gone(tmp_path):
    gone = tmp_path / "on a drive that is unplugged"
    assert folder_named(str(gone)) == gone


def test_path_from_the_home_folder_is_expanded(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    assert folder_named("~/llava") == tmp_path / "llava"


def test_hub_id_is_a_folder_only_if_there_is_one_here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert folder_named("someone/llava") is None
    (tmp_path / "someone" / "llava").mkdir(parents=True)
    folder = folder_named("someone/llava")
    assert folder
    assert folder.samefile(tmp_path / "someone" / "llava")


def test_built_in_model_is_not_a_folder_of_that_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / BUILT_IN).mkdir()
    assert folder_named(BUILT_IN) is None


@pytest.mark.parametrize(
    ("model", "name"),
    [
        (BUILT_IN, "Built-in model"),
        ("llava-hf/llava-1.5-7b-hf", "llava-1.5-7b-hf"),
        ("/models/my llava/", "my llava"),
        ("Built-in model", "Built-in model"),
        ("", ""),
    ],
)
def test_name_on_screen_is_the_last_part(model, name):
    assert short_name(model) == name


@pytest.mark.parametrize("text", ["a/b", "Qwen/Qwen3-VL-4B-Instruct", "a.b/c_d.e-f", "0/1"])
def test_owner_and_name_are_a_hub_id(text):
    assert is_hub_id(text)
    assert hub_id_in(f" {text}\n") == text
    assert hub_id_in(f"https://huggingface.co/{text}/tree/main?a=b") == text


@pytest.mark.parametrize("text", ["", "a", "/a/b", "a/b/c", "../b", "a/..", "a/b--c", "~/b", "ä/b"])
def test_anything_else_is_none(text):
    assert not is_hub_id(text)
    assert hub_id_in(text) == ""


@pytest.mark.parametrize(
    "named",
    [
        ServerModel((("http://gpubox:8000", 1),), "llava"),
        ServerModel((("http://gpubox:8000", 1),), ""),
        ServerModel(
            (("http://[::1]:8000", 3), ("https://x.example/api", 1)), "/models/my #1 llava"
        ),
        ServerModel((("http://localhost:1234", 1),), "qwen/qwen2.5-vl", 768, sends_png=True),
    ],
)
def test_model_on_servers_is_read_back_from_its_reference(named):
    assert server_model(named.reference) == named
    assert folder_named(named.reference) is None
    assert not is_hub_id(named.reference)


@pytest.mark.parametrize(
    "text",
    [BUILT_IN, "owner/name", "/home/me/http://x #1", "http://x", "C:\\models #2", "ftp://x #llava"],
)
def test_what_is_no_model_on_servers_is_not_taken_for_one(text):
    assert server_model(text) is None


def test_model_on_a_server_is_called_by_the_last_part_of_its_name():
    assert short_name("http://gpubox:8000 #/models/my llava") == "my llava"
