"""The engine's thread with an engine that fails: who is asked again, and who hears of it."""

import asyncio
from functools import partial
from typing import Any

import pytest
from PIL import Image

from core.errors import EngineError, OutOfMemory
from core.picture import Picture
from core.serve.engine_thread import (
    Closing,
    EngineThread,
    Failed,
    Finished,
    Full,
    PendingRequest,
    Piece,
)
from core.transcript import ModelChoice, Request, Turn
from tests.support.scripted_engine import ScriptedEngine

PICTURE = Picture(None, Image.new("RGB", (8, 8)))


class Together(ScriptedEngine):
    """Takes all requests that wait, then answers them, the last one first.

    Runs out of memory with more than `most` of them.
    """

    most = 8

    def answer_all(self, requests, stop, *, slots, on_piece=None, **_):
        source, held, is_over = iter(requests), [], False
        while not is_over:
            while len(held) < slots:
                try:
                    request = next(source)
                except StopIteration:
                    is_over = True
                    break
                if request is None:
                    break
                held.append(request)
            if len(held) > self.most:
                raise OutOfMemory("The memory is used up.")
            while held:
                request = held.pop()
                hear = partial(on_piece, request) if on_piece else lambda _: None
                yield request, self.answer(request, hear, stop)


def ends_of(*prompts: str, most: int = 8, stopped: int | None = None):
    """What becomes of requests that wait when the engine is ready, and whether each had text."""
    engine = Together(ModelChoice())
    engine.most = most
    thread = EngineThread(lambda stop: engine, slots=4, places=2)

    async def ask():
        several = [PendingRequest(Request(PICTURE, (Turn(prompt),))) for prompt in prompts]
        for pending in several:
            thread.submit(pending)
        if stopped is not None:
            several[stopped].stop()
        await asyncio.to_thread(thread.open)
        return [await end(pending) for n, pending in enumerate(several) if n != stopped]

    try:
        return asyncio.run(asyncio.wait_for(ask(), 60)), engine
    finally:
        thread.close()
        assert engine.is_closed


async def end(pending: PendingRequest) -> Any:
    while isinstance(happened := await pending.next(), Piece):
        pass
    return happened


def test_request_that_fails_is_found_and_the_others_are_answered():
    for prompt in ("then fail", "fail", "crash"):
        ends, _ = ends_of("say 2 words", "then fail", prompt, "say 3 words")
        assert [type(one) for one in ends[::3]] == [Finished, Finished], prompt
        assert [one.answer.text for one in ends[::3]] == ["word0 word1", "word0 word1 word2"]
    failed = ends[2]
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, EngineError)
    assert "ZeroDivisionError" in failed.error.message


def test_fewer_are_answered_at_once_when_memory_runs_out():
    ends, engine = ends_of(*["say 1 words"] * 4, most=2)
    assert [type(one) for one in ends] == [Finished] * 4
    assert len(engine.requests) == 4


def test_request_that_was_stopped_while_it_waited_is_never_asked():
    ends, engine = ends_of("say 1 words", "say 7 words", "say 2 words", stopped=1)
    assert [one.answer.text for one in ends] == ["word0", "word0 word1"]
    assert len(engine.requests) == 2


def test_places_are_bounded_and_closing_tells_all():
    thread = EngineThread(lambda stop: Together(ModelChoice()), slots=1, places=1)

    async def ask():
        await asyncio.to_thread(thread.open)
        with thread.place(), thread.place():
            with pytest.raises(Full) as full, thread.place():
                pass
            assert full.value.seconds >= 1
            several = [PendingRequest(Request(PICTURE, (Turn("hold"),))) for _ in range(2)]
            for pending in several:
                thread.submit(pending)
            assert await several[0].next() == Piece("Half an ")
            await asyncio.to_thread(thread.close)
            for pending in several:
                happened = await end(pending)
                assert isinstance(happened, Failed)
                assert isinstance(happened.error, Closing)
        with thread.place():
            pass

    asyncio.run(asyncio.wait_for(ask(), 60))
