"""The trace of an answer as JSON and as Markdown."""

import json
import threading
from dataclasses import replace
from pathlib import Path

from core.trace import (
    ImageTrace,
    MemoryUse,
    StageTime,
    TokenTrace,
    Trace,
    as_json,
    as_markdown,
    shown_seconds,
)
from core.transcript import Ending, Precision, Request, Sampling, Turn

# What was written before traces were typed, with sizes in GB since.
SAMPLE_JSON = Path(__file__).with_name("trace_sample.json")
SAMPLE_MARKDOWN = Path(__file__).with_name("trace_sample.md")
SAMPLE = Trace(
    model="llava-1.5-7b-hf",
    device="NVIDIA H200",
    dtype=Precision.FLOAT16,
    image=ImageTrace(
        size=(100, 70),
        padded_size=(100, 100),
        pad_colour=(122, 116, 104),
        values_shape=(1, 3, 336, 336),
        values_dtype="float32",
        values_range=(-1.7922625, 2.145897),
        patch_grid=(24, 24),
        tower_features_shape=(1, 576, 1024),
        projected_features_shape=(1, 576, 4096),
    ),
    prompt="A chat. USER: <image>\nWas ist für ```Sie``` da? ASSISTANT:",
    input=TokenTrace((1, 319, 13563, -200, 29973), ("<s>", "▁A", "▁chat", "<image>", "?")),
    image_tokens=576,
    output=TokenTrace(
        (450, 1967, 3697, 263, 2654, 15055, 373, 263, 1591),
        ("▁The", "▁image", "▁shows", "▁a", "▁red", "▁square", "▁on", "▁a", "▁table"),
    ),
    is_output_exact=False,
    text="The image shows a red square on a table",
    ending=Ending.COMPLETE,
    stop_string="</s>",
    max_new_tokens=512,
    seed=7,
    times=(
        StageTime("picture and prompt prepared", 0.0042),
        StageTime("picture seen: vision tower and projector", 0.0123),
        StageTime("embeddings joined", 0.0005),
        StageTime("answer to its first token", 0.031),
        StageTime("whole answer", 1.25),
    ),
    memory=(
        MemoryUse("weights", 14126981120),
        MemoryUse("keys and values", 308281344),
        MemoryUse("reserved on the card", 16106127360),
    ),
)


def traced(engine, picture, prompt="What is this?"):
    request = Request(picture, (Turn(prompt),), Sampling(max_new_tokens=20))
    answer = engine.answer(request, lambda piece: None, threading.Event())
    return engine.trace(request, answer)


def test_json_stays_as_it_was():
    assert as_json(SAMPLE) + "\n" == SAMPLE_JSON.read_text("utf-8")


def test_markdown_stays_as_it_was():
    assert as_markdown(SAMPLE) == SAMPLE_MARKDOWN.read_text("utf-8")


def test_markdown_shows_each_stage_in_its_order(engine, picture):
    trace = traced(engine, picture)
    text = as_markdown(trace)
    stages = ["## Picture", "## Prompt", "## Input ids", "## Output ids", "## Times", "## Memory"]
    places = [text.index(stage) for stage in stages]
    assert places == sorted(places)
    assert "100 × 70 pixels, padded to 100 × 100" in text
    assert "1 × 3 × 56 × 56, float32" in text
    assert "the image's -200 standing for 16" in text
    assert "-200 <image>" in text
    assert trace.prompt in text


def test_fence_outlasts_the_fences_in_a_prompt(engine, picture):
    text = as_markdown(traced(engine, picture, "```\nWhat is this?\n```"))
    assert "\n````\nA chat" in text


def test_json_keeps_the_scripts_of_its_text_and_all_else(engine, picture):
    trace = traced(engine, picture, "Was ist das für ein Bild?")
    assert "für" in as_json(trace)
    content = json.loads(as_json(trace))
    assert content["input_ids"] == list(trace.input.ids)
    assert content["seconds"] == {time.stage: time.seconds for time in trace.times}
    assert content["bytes"] == {use.name: use.bytes for use in trace.memory}


def test_answer_without_a_seed_has_none_in_both():
    greedy = replace(SAMPLE, seed=None)
    assert json.loads(as_json(greedy))["seed"] is None
    assert "seed" not in as_markdown(greedy)


def test_seconds_are_shown_in_units_one_reads():
    assert shown_seconds(0.0123) == "12.3 ms"
    assert shown_seconds(3.14159) == "3.14 s"
