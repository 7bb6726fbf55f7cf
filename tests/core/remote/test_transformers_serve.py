"""The built-in model behind `transformers serve`, a server of others: the same text as here.

Needs `transformers[serving]` in the environment; it is left out where that is not installed.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.errors import ServerError
from core.model_reference import ServerModel
from core.open_engine import built_in_model, open_engine
from core.picture import Picture, open_picture
from core.picture.pixel_values import padded_square
from core.remote.dispatch import Patience
from core.remote.engine import RemoteEngine
from core.remote.opening import open_server_model
from core.resources import SAMPLES
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn

NEEDED = ("fastapi", "uvicorn", "openai")
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, NEEDED)), reason="needs transformers[serving]"
    ),
]
START_SECONDS = 300
SERVE = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
PROMPT = "Please describe this image in detail."


@dataclass
class Served:
    """`transformers serve` in a process of its own."""

    model: Path
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE, "serve", self.model, *options, "--dtype", "float32"],
            env={**os.environ, "HF_HUB_OFFLINE": "1"},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def kill(self) -> None:
        assert self.process is not None
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def open(self) -> RemoteEngine:
        """Opens the model, once the server answers."""
        named = ServerModel(((self.address, 1),), str(self.model), sends_png=True)
        patience = Patience(tries=4, away_seconds=START_SECONDS)
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                return open_server_model(
                    named, lambda *_: None, threading.Event(), run_patience=patience
                )
            except ServerError:
                if time.monotonic() > ends:
                    raise
                time.sleep(1)


@pytest.fixture(scope="module")
def served(tmp_path_factory) -> Iterator[Served]:
    model = tmp_path_factory.mktemp("served") / "model"
    shutil.copytree(built_in_model(), model)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    served = Served(model, port)
    served.start()
    yield served
    served.kill()


@pytest.fixture(scope="module")
def engine(served) -> Iterator[RemoteEngine]:
    engine = served.open()
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def pictures() -> list[Picture]:
    """Samples and their mirror images, padded to squares: transformers' own processor would crop
    them."""
    found = []
    for path in sorted(SAMPLES.glob("*.png")):
        pixels = open_picture(path).pixels
        for turned in (pixels, pixels.transpose(Image.Transpose.FLIP_LEFT_RIGHT)):
            found.append(Picture(path, padded_square(turned, 336)))
    return found


def request(picture: Picture, prompt: str = PROMPT, **sampling) -> Request:
    return Request(picture, (Turn(prompt),), Sampling(max_new_tokens=96, **sampling))


def test_server_says_what_the_engine_here_says(engine, pictures):
    local = open_engine(
        ModelChoice(device="cpu", dtype=Precision.FLOAT32), lambda *_: None, threading.Event()
    )
    requests = [request(picture) for picture in pictures]
    there = dict(engine.answer_all(iter(requests), threading.Event(), slots=8))
    for one in requests:
        here = local.answer(one, lambda piece: None, threading.Event())
        assert there[one].text == here.text
        assert there[one].ending is here.ending
        assert there[one].tokens
    local.close()


def test_second_question_follows_the_first(engine, pictures):
    turns = (Turn(PROMPT, "The image shows a cake."), Turn("What is the background?"))
    asked = Request(pictures[0], turns, Sampling(max_new_tokens=40))
    pieces: list[str] = []
    answer = engine.answer(asked, pieces.append, threading.Event())
    assert answer.text
    assert "".join(pieces) == answer.text


def test_stop_ends_an_answer(engine, pictures):
    stop = threading.Event()
    answer = engine.answer(request(pictures[0]), lambda piece: stop.set(), stop)
    assert answer.ending is Ending.STOPPED
    assert answer.text


def test_run_loses_nothing_though_the_server_is_killed_and_started_again(
    served, engine, pictures, tmp_path
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        pictures[number % len(pictures)].pixels.save(folder / f"{number:03}.png")
    options = BatchOptions((PROMPT,), sampling=Sampling(max_new_tokens=12))
    batch = Batch.begin([folder], options, tmp_path / "journals")
    kills: list[bool] = []

    def on_item(number, item) -> None:
        if item.state is ItemState.DONE and batch.tally.captioned >= 20 and not kills:
            kills.append(True)
            served.kill()
            served.start()

    tally = batch.run(engine, Control(), on_item, slots=8)
    batch.close()
    assert kills
    assert (tally.captioned, tally.failed, tally.waiting) == (100, 0, 0)
    assert all(path.with_suffix(".txt").read_text().strip() for path in folder.glob("*.png"))
