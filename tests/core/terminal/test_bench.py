import json
import threading

import pytest

from core.errors import Cancelled
from core.terminal.bench import Plan, measure
from core.terminal.main import main
from core.terminal.random_chat import RANDOM_MODELS
from core.terminal.random_weights import SIZES
from core.transcript import ModelChoice

SHORT = ["--max-new-tokens", "4", "--answers", "1", "--slots", "1,2", "--device", "cpu"]


@pytest.mark.slow
def test_bench_prints_one_json_object_of_what_a_reader_gets(capsys, tiny_original_layout):
    model = ["--model", str(tiny_original_layout)]
    status = main(["bench", *model, "--json", *SHORT, "--cards", "cpu,cpu"])

    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert report["model"]["has_random_weights"] is False
    assert report["machine"]["device_name"]
    for way in ("loop", "generate"):
        figures = report[way]
        assert figures["prompt_tokens"] > 20
        assert 0 < figures["new_tokens"] <= 4
        assert figures["tokens_per_second"] > 0
        assert figures["follow_up_seconds_to_first_token"] > 0
        assert figures["captions_per_second"]["1"] > 0
    assert report["loop"]["captions_per_second"].keys() == {"1", "2"}
    assert report["cards"]["used"] == 2
    assert report["cards"]["captions_per_second"] > 0
    assert report["limits"]["gemv_bytes_per_second"] > 0
    assert 0 < report["loop"]["share_of_gemv"] < 1


@pytest.mark.slow
def test_random_weights_have_the_size_and_the_prompt_of_a_real_model():
    plan = Plan(ModelChoice(device="cpu"), "built-in", new_tokens=4, answers=1, slots=())
    report = measure(plan, lambda *_: None, threading.Event())

    assert report["model"]["has_random_weights"] is True
    for way in ("loop", "generate"):
        assert report[way]["prompt_tokens"] == 625
        assert report[way]["new_tokens"] == 4
    assert 0 < report["loop"]["share_of_gemv"] < 1


@pytest.mark.slow
def test_bench_prints_a_table_of_a_checkpoint(capsys, tiny_original_layout):
    assert main(["bench", "--model", str(tiny_original_layout), *SHORT]) == 0

    lines = capsys.readouterr().out.splitlines()
    assert "tokens per second" in lines[5]
    assert "generate()" in lines[4]
    assert lines[1].endswith("0 graphics cards used")


def test_bench_says_what_is_wrong_with_a_model(capsys, tmp_path):
    assert main(["bench", "--model", str(tmp_path), *SHORT]) == 1

    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.startswith("onlooker: ")


def test_measuring_can_be_stopped():
    stop = threading.Event()
    stop.set()
    plan = Plan(ModelChoice(device="cpu"), "built-in", new_tokens=2, answers=1)

    with pytest.raises(Cancelled):
        measure(plan, lambda *_: None, stop)


def test_every_size_that_the_terminal_offers_is_known(capsys):
    assert main(["bench", "--help"]) == 0
    assert "{" + ",".join((*SIZES, *RANDOM_MODELS)) + "}" in "".join(
        capsys.readouterr().out.split()
    )
