import json
import os
import shutil
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from core.checkpoint.folder import read_config
from core.errors import CheckpointError
from tests.support.tiny_llava import write_original_layout, write_transformers_layout

ROOT = Path(__file__).parents[3]
CASES, PROCESSES = 2_000, 2


@pytest.fixture
def original(tmp_path):
    return write_original_layout(tmp_path / "spoiled")


@pytest.fixture
def chat(chat_folders, tmp_path):
    return shutil.copytree(chat_folders["qwen2_5_vl"], tmp_path / "chat")


def change(path: Path, **changes):
    content = json.loads(path.read_text()) if path.is_file() else {}
    path.write_text(json.dumps(content | changes))


# ---- code


@pytest.mark.parametrize(
    "name",
    ["config.json", "tokenizer_config.json", "processor_config.json", "generation_config.json"],
)
@pytest.mark.parametrize("kind", ["original", "chat"])
def test_settings_that_ask_for_code_are_refused(request, opened, kind, name):
    folder = request.getfixturevalue(kind)
    change(folder / name, auto_map={"AutoTokenizer": ["code.Tokenizer", None]})
    with pytest.raises(CheckpointError, match="contains program code, which Onlooker never runs"):
        opened(folder)


def test_code_asked_for_deep_inside_is_refused(opened, chat):
    config = json.loads((chat / "config.json").read_text())
    config["text_config"]["auto_map"] = {"AutoConfig": "code.Config"}
    (chat / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="contains program code"):
        opened(chat)


@pytest.mark.parametrize("name", ["modeling_evil.py", "custom_generate/generate.py"])
def test_folder_with_code_in_it_is_refused_and_the_code_not_run(opened, chat, tmp_path, name):
    path = chat / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"open({str(tmp_path / 'ran')!r}, 'w')")
    with pytest.raises(CheckpointError, match="contains program code"):
        opened(chat)
    assert not (tmp_path / "ran").exists()


# ---- links


@pytest.mark.parametrize(
    "name", ["config.json", "tokenizer.model", "model-00001-of-00003.safetensors"]
)
def test_link_out_of_the_folder_is_refused(opened, original, tmp_path, name):
    elsewhere = tmp_path / "elsewhere"
    shutil.move(original / name, elsewhere)
    (original / name).symlink_to(elsewhere)
    with pytest.raises(CheckpointError, match=f"{name}.* is a link that leads out"):
        opened(original)


def test_link_in_a_circle_is_an_error(opened, original):
    (original / "tokenizer.model").unlink()
    (original / "tokenizer.model").symlink_to("tokenizer.model")
    with pytest.raises(CheckpointError):
        opened(original)


def test_link_within_the_folder_and_into_the_blobs_of_the_hub_cache_is_followed(
    opened, tmp_path, monkeypatch
):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    repo = tmp_path / "hub" / "models--someone--llava"
    snapshot = repo / "snapshots" / ("0" * 40)
    (repo / "refs").mkdir(parents=True)
    (repo / "refs" / "main").write_text("0" * 40)
    (repo / "blobs").mkdir()
    write_transformers_layout(snapshot)
    for number, path in enumerate(sorted(snapshot.iterdir())):
        blob = shutil.move(path, repo / "blobs" / f"{number:040}")
        path.symlink_to(os.path.relpath(blob, snapshot))
    (snapshot / "again.json").symlink_to("config.json")
    opened("someone/llava").close()


def test_index_cannot_name_files_elsewhere(opened, original, tmp_path):
    index = original / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    shutil.move(original / "model-00001-of-00003.safetensors", tmp_path / "outside.safetensors")
    for tensor, file in content["weight_map"].items():
        if file.startswith("model-00001"):
            content["weight_map"][tensor] = "../outside.safetensors"
    index.write_text(json.dumps(content))
    with pytest.raises(CheckpointError, match=r"missing \(outside\.safetensors"):
        opened(original)


# ---- sizes


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"num_hidden_layers": 999}, "999, but the weights have only"),
        ({"hidden_size": 4_000_001}, "hidden_size is 4000001"),
        ({"vocab_size": 10**12}, "vocab_size is"),
        ({"rope_theta": float("nan")}, "rope_theta is nan"),
        ({"rms_norm_eps": float("inf")}, "rms_norm_eps is inf"),
        ({"something": [[-(2**70)]]}, "something is"),
    ],
)
def test_numbers_that_cannot_be_are_refused_before_a_model_is_built(
    opened, original, changes, cause
):
    change(original / "config.json", **changes)
    stages = []
    with pytest.raises(CheckpointError, match=cause):
        opened(original, on_progress=lambda fraction, stage: stages.append(stage))
    assert "Reading the weights" not in stages


def test_settings_larger_or_deeper_than_settings_are_errors(opened, original):
    config = original / "config.json"
    whole = config.read_text()
    config.write_text(whole[:-1] + ', "deep": ' + "[" * 40 + "]" * 40 + "}")
    with pytest.raises(CheckpointError, match="nested too deeply"):
        opened(original)
    config.write_text("[" * 100_000)
    with pytest.raises(CheckpointError, match="cannot be read"):
        opened(original)
    with config.open("wb") as file:
        file.truncate(65 << 20)
    with pytest.raises(CheckpointError, match="far too large"):
        opened(original)


@pytest.mark.parametrize("length", [0, 7, 2**31, 2**63, 2**64 - 1])
def test_lying_header_is_an_error(opened, original, length):
    path = original / "model-00002-of-00003.safetensors"
    path.write_bytes(struct.pack("<Q", length) + path.read_bytes()[8:])
    with pytest.raises(CheckpointError, match=r"model-00002.* damaged"):
        opened(original)


@pytest.mark.slow
def test_two_thousand_spoiled_models_end_in_a_sentence_each(
    tmp_path, tiny_original_layout, tiny_transformers_layout, chat_folders
):
    """Or load all the same; never in a crash, a hang, or a write anywhere else."""
    runs = []
    for seed in range(PROCESSES):
        folder = tmp_path / str(seed)
        shutil.copytree(tiny_original_layout, folder / "original")
        shutil.copytree(tiny_transformers_layout, folder / "transformers")
        shutil.copytree(chat_folders["idefics3"], folder / "chat")
        command = ["-m", "tests.support.fuzz_models", folder, CASES // PROCESSES, seed]
        environment = os.environ | {
            "OMP_NUM_THREADS": "1",
            "PYTHONDONTWRITEBYTECODE": "1",
            "HF_HUB_OFFLINE": "1",
        }
        runs.append(
            subprocess.Popen(
                [sys.executable, *map(str, command)],
                cwd=ROOT,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    for run in runs:
        out, err = run.communicate(timeout=900)
        assert run.returncode == 0, err[-4000:]
        outcomes = json.loads(out)
        assert sum(outcomes.values()) == CASES // PROCESSES
        assert outcomes["opened"] > 50
        assert outcomes["CheckpointError"] > 500


# ---- files of a size that no model has


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "tokenizer.model",
        "vocab.json",
        "merges.txt",
        "special_tokens_map.json",
        "added_tokens.json",
        "chat_template.jinja",
        "preprocessor_config.json",
        "model.safetensors.index.json",
    ],
)
def test_file_of_a_gigabyte_is_refused_before_it_is_read(opened, chat, name):
    with (chat / name).open("wb") as file:
        file.truncate(1_000_000_000)
    with pytest.raises(CheckpointError, match=rf"“{name}” in “chat” is larger than \d+ MB"):
        opened(chat)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
@pytest.mark.parametrize("name", ["tokenizer.json", "chat_template.jinja", "merges.txt"])
def test_pipe_in_the_place_of_a_file_is_refused_at_once(opened, chat, name):
    (chat / name).unlink(missing_ok=True)
    os.mkfifo(chat / name)
    with pytest.raises(CheckpointError, match=f"“{name}” cannot be read"):
        opened(chat)


def test_vocabulary_of_images_in_the_settings_is_read(tmp_path):
    """Chameleon's and Emu3's have so many entries."""
    numbers = {f"<|visual token {number:06}|>": number for number in range(100_000)}
    (tmp_path / "config.json").write_text(json.dumps({"vocabulary_map": numbers}))
    assert len(read_config(tmp_path)["vocabulary_map"]) == 100_000


def test_sentence_about_a_long_name_stays_readable(opened, chat):
    change(chat / "config.json", architectures=["A" * 1_000_000 + "\n\x1b[31m"])
    with pytest.raises(CheckpointError) as refused:
        opened(chat)
    assert len(str(refused.value)) < 700
    assert str(refused.value).isprintable()
