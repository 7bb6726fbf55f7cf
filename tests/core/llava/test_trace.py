import json
import threading

from core.llava.trace import as_json, as_markdown, shown_bytes, shown_seconds
from core.transcript import Request, Sampling, Turn


def traced(engine, picture, prompt="What is this?"):
    request = Request(picture, (Turn(prompt),), Sampling(max_new_tokens=20))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    return engine.trace(request, answer)


def test_markdown_tells_each_stage_in_its_order(engine, picture):
    trace = traced(engine, picture)
    text = as_markdown(trace)
    stages = ["## Picture", "## Prompt", "## Input ids", "## Output ids", "## Times", "## Memory"]
    places = [text.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "100 × 70 pixels, padded to 100 × 100" in text
    assert "1 × 3 × 56 × 56, float32" in text
    assert "the image's -200 standing for 16" in text
    assert "-200 <image>" in text
    assert trace["prompt"] in text


def test_fence_outlasts_the_fences_in_a_prompt(engine, picture):
    text = as_markdown(traced(engine, picture, "```\nWhat is this?\n```"))
    assert "\n````\nA chat" in text


def test_json_keeps_the_scripts_of_its_text_and_all_else(engine, picture):
    trace = traced(engine, picture, "Was ist das für ein Bild?")
    assert "für" in as_json(trace)
    assert json.loads(as_json([trace])) == [trace]


def test_seconds_and_bytes_are_shown_in_units_one_reads():
    assert shown_seconds(0.0123) == "12.3 ms"
    assert shown_seconds(3.14159) == "3.14 s"
    assert shown_bytes(14 * 2**30) == "14.0 GiB"
    assert shown_bytes(62 * 2**20) == "62.0 MiB"
    assert shown_bytes(51200) == "50 KiB"
