"""The built-in model behind servers of others: `transformers serve`, llama.cpp and vLLM."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator

import pytest
from PIL import Image

from core.batch import Batch, BatchOptions, Control, ItemState
from core.errors import ServerError, ServerFault
from core.open_engine import open_engine
from core.picture import Picture, open_picture
from core.picture.pixel_values import padded_square
from core.remote.engine import RemoteEngine
from core.remote.loop_thread import LoopThread
from core.remote.server import Server
from core.resources import SAMPLES
from core.transcript import Ending, ModelChoice, Precision, Request, Sampling, Turn
from tests.support.real_servers import SERVERS, LlamaCpp, RealServer, TransformersServe, free_port

pytestmark = pytest.mark.slow
PROMPT = "Please describe this image in detail."


@pytest.fixture(scope="module", params=SERVERS)
def served(request, tmp_path_factory) -> Iterator[RealServer]:
    kind = SERVERS[request.param]
    if reason := kind.missing():
        pytest.skip(reason)
    served = kind(tmp_path_factory.mktemp("served"), port=free_port())
    served.prepare()
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
    """Samples and their mirror images, padded to squares: the servers' own processors would crop
    them."""
    flips = (None, Image.Transpose.FLIP_LEFT_RIGHT, Image.Transpose.FLIP_TOP_BOTTOM)
    paths = sorted(SAMPLES.glob("*.png"))
    found = []
    for flip in flips:
        for path in paths:
            pixels = open_picture(path).pixels
            turned = pixels.transpose(flip) if flip is not None else pixels
            found.append(Picture(path, padded_square(turned, 336)))
    return found[:20]


def request(picture: Picture, *, max_new_tokens: int = 48, **sampling) -> Request:
    return Request(picture, (Turn(PROMPT),), Sampling(max_new_tokens=max_new_tokens, **sampling))


def test_server_says_what_the_engine_here_says(served, engine, pictures):
    requests = [request(picture) for picture in pictures]
    there = dict(engine.answer_all(iter(requests), threading.Event(), slots=8))
    assert len(there) == 20
    for answer in there.values():
        assert answer.text
        assert answer.tokens > 5
        assert answer.input_tokens > 576
    choice = ModelChoice(device="cpu", dtype=Precision.FLOAT32)
    local = open_engine(choice, lambda *_: None, threading.Event())
    here = dict(local.answer_all(iter(requests), threading.Event(), slots=8))
    same = [one for one in requests if there[one].text == here[one].text]
    if isinstance(served, LlamaCpp):
        # It shifts the patches by one. That some are the same shows that the export is right.
        assert len(same) >= 4
    else:
        assert same == requests
        assert all(there[one].ending is here[one].ending for one in requests)
    local.close()


def test_answer_is_streamed_and_a_second_question_follows_the_first(engine, pictures):
    pieces: list[str] = []
    first = engine.answer(request(pictures[0]), pieces.append, threading.Event())
    assert len(pieces) > 5
    assert "".join(pieces) == first.text
    turns = (Turn(PROMPT, first.text), Turn("What is the background?"))
    asked = Request(pictures[0], turns, Sampling(max_new_tokens=40))
    second = engine.answer(asked, lambda piece: None, threading.Event())
    assert second.text
    assert second.text != first.text
    assert second.input_tokens > first.input_tokens


def quiet(served: RealServer) -> float:
    """Waits until the server does nothing any more; returns its processor time so far."""
    ends, before = time.monotonic() + 60, served.processor_seconds()
    while True:
        time.sleep(0.5)
        now = served.processor_seconds()
        if now - before < 0.05:
            return now
        assert time.monotonic() < ends, "the server goes on and on"
        before = now


def test_stop_ends_answers_and_the_server_stops_too(served, engine, pictures):
    """Eight whole answers cost the server much more than eight that are stopped at once."""
    requests = [request(picture, max_new_tokens=200) for picture in pictures[:8]]
    began = quiet(served)
    list(engine.answer_all(iter(requests), threading.Event(), slots=8))
    whole = quiet(served) - began
    stop = threading.Event()
    began = quiet(served)
    answers = list(
        engine.answer_all(iter(requests), stop, slots=8, on_piece=lambda request, piece: stop.set())
    )
    assert any(answer.ending is Ending.STOPPED and answer.text for _, answer in answers)
    assert quiet(served) - began < 0.9 * whole


def ask_raw(served: RealServer, model: str, content: object, picture: Picture, **extra) -> str:
    """Sends messages that our engine never would."""
    loop = LoopThread("raw")
    server = Server(served.address, model)
    messages = [{"role": "user", "content": content}]

    async def ask() -> str:
        try:
            asked = request(picture, max_new_tokens=8)
            reply = await server.ask(
                asked, lambda piece, reply: None, extra={"messages": messages, **extra}
            )
            return reply.text
        finally:
            await server.close()

    try:
        return loop.submit(ask()).result()
    finally:
        loop.close()


def test_faults_are_told(served, engine, pictures):
    broken = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0KGgo="}},
        {"type": "text", "text": PROMPT},
    ]
    with pytest.raises(ServerError) as caught:
        ask_raw(served, served.model, broken, pictures[0])
    assert caught.value.fault in (ServerFault.REQUEST, ServerFault.FAILED)
    with pytest.raises(ServerError) as caught:
        served.open_model("another/model")
    assert caught.value.fault is ServerFault.NO_MODEL
    assert served.model in str(caught.value)
    if not isinstance(served, TransformersServe):  # It answers nonsense.
        with pytest.raises(ServerError) as caught:
            ask_raw(served, served.model, "word " * 4000, pictures[0])
        assert caught.value.fault is ServerFault.REQUEST
    # It still answers.
    assert engine.answer(request(pictures[0]), lambda piece: None, threading.Event()).text


def test_answers_are_sampled_as_asked(engine, pictures):
    """Also by `transformers serve`, which takes most settings only in a form of its own."""
    said = {
        engine.answer(
            request(pictures[0], temperature=2.0, top_k=200, repetition_penalty=1.1, seed=seed),
            lambda piece: None,
            threading.Event(),
        ).text
        for seed in range(3)
    }
    assert len(said) == 3
    assert "ignores these settings" not in " ".join(engine.facts.notes)


def test_run_loses_nothing_though_the_server_is_killed_and_started_again(
    served, engine, pictures, tmp_path
):
    folder = tmp_path / "pictures"
    folder.mkdir()
    for number in range(100):
        pictures[number % len(pictures)].pixels.save(folder / f"{number:03}.png")
    options = BatchOptions((PROMPT,), sampling=Sampling(max_new_tokens=8))
    batch = Batch.begin([folder], options, tmp_path / "journals")
    kills: list[bool] = []
    done: Counter[int] = Counter()

    def on_item(number, item) -> None:
        if item.state is not ItemState.DONE:
            return
        done[number] += 1
        if sum(done.values()) >= 30 and not kills:
            kills.append(True)
            served.kill()
            served.start()

    tally = batch.run(engine, Control(), on_item, slots=8)
    batch.close()
    assert kills
    assert (tally.captioned, tally.failed, tally.waiting) == (100, 0, 0)
    assert set(done.values()) == {1}
    assert len(done) == 100
    assert all(path.with_suffix(".txt").read_text().strip() for path in folder.glob("*.png"))
