"""A folder run over several servers: their weights, and one that dies and comes back."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from itertools import islice

from PIL import Image

from core.picture import Picture
from core.transcript import Request, Turn
from tests.support.model_server import Fault, ModelServer

PIXELS = Image.new("RGB", (32, 24), (200, 40, 40))
MOST = 5000


def requests() -> Iterator[Request]:
    for number in range(MOST):
        yield Request(Picture(None, PIXELS), (Turn(f"Image {number}"),))
    raise AssertionError("What is waited for does not happen.")


def prompts(server: ModelServer) -> list[str]:
    return [body["messages"][0]["content"][-1]["text"] for body in server.captions()]


def test_servers_have_as_much_to_do_at_once_as_their_weights_say(use):
    with ModelServer().running() as strong, ModelServer().running() as weak:
        engine = use(strong, weak, weights=(3, 1))
        strong.gate.clear()
        weak.gate.clear()
        begun = threading.Event()

        def watch() -> None:
            # None is answered, so that it stays at what each gets at the beginning.
            while (strong.under_way, weak.under_way) != (12, 4) and not begun.wait(0.01):
                pass
            begun.set()
            strong.gate.set()
            weak.gate.set()

        asked = list(islice(requests(), 200))
        watcher = threading.Thread(target=watch)
        watcher.start()
        try:
            found = list(engine.answer_all(asked, threading.Event(), slots=30))
            assert begun.is_set()
        finally:
            begun.set()
            watcher.join()
        assert len({id(request) for request, _ in found}) == len(found) == len(asked)
        assert strong.most_under_way <= 30
        assert weak.most_under_way <= 10


def test_dead_server_is_left_out_until_it_lists_its_model_again(use):
    with ModelServer().running() as stays:
        dies, source, asked = ModelServer(), requests(), list[Request]()
        again = list[ModelServer]()

        def some() -> Iterator[Request]:
            def one() -> Request:
                asked.append(next(source))
                return asked[-1]

            while not prompts(dies):
                yield one()
            dies.die()
            for _ in range(20):
                yield one()
            # It is there again, but still loads its model.
            back = ModelServer(port=dies.server_port)
            back.listing = Fault(503, "Loading model")
            with back.running():
                again.append(back)
                while not back.keys:
                    yield one()
                for _ in range(20):
                    yield one()
                assert not prompts(back)
                back.listing = None
                while len(prompts(back)) < 10:
                    yield one()

        with dies.running():
            engine = use(stays, dies)
            found = [
                (request, answer.text)
                for request, answer in engine.answer_all(some(), threading.Event(), slots=4)
            ]
        assert {id(request) for request, _ in found} == set(map(id, asked))
        assert len(found) == len(asked)
        assert all(text.endswith(request.turns[0].prompt) for request, text in found)
        assert len(prompts(again[0])) >= 10
