"""`onlooker serve` with the built-in model, asked by OpenAI's own client and by plain HTTP."""

import base64
import http.client
import json
import logging
import queue
import select
import socket
import struct
import threading
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from dataclasses import replace
from io import StringIO
from itertools import count
from typing import Any

import keyring
import pytest

from core.engine import Capability, inspectable
from core.engine_group.group import EngineGroup, EngineSource
from core.errors import CheckpointError, ServeError
from core.model_reference import ServerModel
from core.open_engine import open_engine
from core.picture import open_picture
from core.remote.keys import ServerKey
from core.remote.opening import open_server_model
from core.resources import SAMPLES
from core.serve.key import is_key, read_key
from core.serve.server import ServeOptions, serving
from core.terminal import serve as serve_terminal
from core.terminal.main import main as terminal_main
from core.terminal.options import ServeCommand, parse
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn
from tests.support.keyrings import MemoryKeyring
from tests.support.scripted_engine import ScriptedEngine
from tests.support.tiny_chat import write_chat_model

KEY = "a key of the test"
PROMPT = "Please describe this image in detail."
SLOTS, QUEUE = 4, 4
MOST_BYTES = 3_000_000


def load(stop):
    return open_engine(ModelChoice(device="cpu"), lambda *_: None, stop)


@pytest.fixture(scope="module")
def openai():
    """The official client. Importing it takes a second, and each worker collects this module."""
    import openai as client_library

    return client_library


@pytest.fixture(scope="module")
def server():
    options = ServeOptions(
        "built-in", port=0, slots=SLOTS, queue=QUEUE, key=KEY, most_bytes=MOST_BYTES
    )
    with serving(options, load) as serving_now:
        yield serving_now


@pytest.fixture
def client(server, openai):
    with openai.OpenAI(base_url=f"{server.address}/v1", api_key=KEY, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
def engine():
    """The same model here."""
    with closing(load(threading.Event())) as loaded:
        yield loaded


@pytest.fixture(scope="module")
def local(engine):
    """What the engine says here, greedy."""

    def say(name, *turns, beginning="", most=512):
        request = Request(
            open_picture(SAMPLES / name), turns, Sampling(max_new_tokens=most), beginning
        )
        return engine.answer(request, lambda _: None, threading.Event())

    return say


@pytest.fixture
def keyring_in_memory():
    before = keyring.get_keyring()
    keyring.set_keyring(MemoryKeyring())
    yield
    keyring.set_keyring(before)


def data_url(data):
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"


def about(name, prompt=PROMPT):
    image = {"url": data_url((SAMPLES / name).read_bytes())}
    parts = [{"type": "image_url", "image_url": image}, {"type": "text", "text": prompt}]
    return {"role": "user", "content": parts}


def ask(client: Any, *messages, model="built-in", **fields) -> Any:
    return client.chat.completions.create(model=model, messages=list(messages), **fields)


def test_lists_its_model(client, openai):
    assert [model.id for model in client.models.list()] == ["built-in"]
    assert client.models.retrieve("built-in").id == "built-in"
    with pytest.raises(openai.NotFoundError, match="There is no model “gpt-4” here"):
        client.models.retrieve("gpt-4")


def test_whole_and_streamed_answers_are_the_local_engines(client, local):
    expected = local("shapes.png", Turn(PROMPT))
    whole = ask(client, about("shapes.png"))
    assert whole.choices[0].message.content == expected.text
    assert whole.choices[0].finish_reason == "stop"
    used = (whole.usage.prompt_tokens, whole.usage.completion_tokens)
    assert used == (expected.input_tokens, expected.tokens)

    options = {"include_usage": True}
    *chunks, last = ask(client, about("shapes.png"), stream=True, stream_options=options)
    texts = [chunk.choices[0].delta.content for chunk in chunks]
    assert "".join(filter(None, texts)) == expected.text
    # Who speaks, the first word at once, the rest, and the end.
    assert len(texts) >= 4
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "stop"]
    assert (last.choices, last.usage) == ([], whole.usage)


def test_conversation_goes_on(client, local):
    first = local("shapes.png", Turn("What colour is the star?"))
    said = [Turn("What colour is the star?", first.text), Turn("And the circle?")]
    answer = ask(
        client,
        about("shapes.png", "What colour is the star?"),
        {"role": "assistant", "content": first.text},
        {"role": "user", "content": "And the circle?"},
    )
    assert answer.choices[0].message.content == local("shapes.png", *said).text


def test_answer_continues_what_the_assistant_began(client, local):
    expected = local("shapes.png", Turn(PROMPT), beginning="The picture shows", most=9)
    began = {"role": "assistant", "content": "The picture shows"}
    answer = ask(client, about("shapes.png"), began, max_tokens=9)
    assert answer.choices[0].message.content == expected.text


def test_length_and_stop_strings_end_an_answer(client, local):
    short = ask(client, about("shapes.png"), max_completion_tokens=5)
    assert short.choices[0].finish_reason == "length"
    assert short.choices[0].message.content == local("shapes.png", Turn(PROMPT), most=5).text

    expected = local("shapes.png", Turn(PROMPT), most=20).text.partition("star")[0]
    asked: dict[str, Any] = {"stop": ["nothing of it", "star"]}
    stopped = ask(client, about("shapes.png"), **asked)
    assert (stopped.choices[0].message.content, stopped.choices[0].finish_reason) == (
        expected,
        "stop",
    )
    chunks = ask(client, about("shapes.png"), stream=True, **asked)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == expected


@pytest.mark.parametrize("streams", [False, True])
def test_log_probabilities_are_those_of_the_text(client, streams):
    answer = ask(client, about("shapes.png"), logprobs=True, max_tokens=12, stream=streams)
    choices = [chunk.choices[0] for chunk in answer] if streams else answer.choices
    tokens = [token for one in choices if one.logprobs for token in one.logprobs.content]
    said = "".join((one.delta if streams else one.message).content or "" for one in choices)
    assert "".join(token.token for token in tokens) == said
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == said
    assert len(tokens) == 12
    # The model is sure of what it sees.
    assert all(-0.5 < token.logprob <= 0 for token in tokens)
    assert all(token.top_logprobs == [] for token in tokens)


@pytest.mark.parametrize("most", [1, 5])
def test_tokens_that_could_have_been_are_given(client, most):
    answer = ask(client, about("shapes.png"), logprobs=True, top_logprobs=most, max_tokens=12)
    tokens = answer.choices[0].logprobs.content
    for token in tokens:
        others = token.top_logprobs
        assert len(others) == most
        # It is greedy, and a token in the middle of the text has the blank that it has there.
        assert (others[0].token.strip(), others[0].logprob) == (token.token.strip(), token.logprob)
        assert [one.logprob for one in others] == sorted(
            (one.logprob for one in others), reverse=True
        )
        assert all(bytes(one.bytes).decode() == one.token for one in others)


def test_our_own_client_doubts_the_words_that_the_local_engine_doubts(
    server, engine, keyring_in_memory
):
    ServerKey(server.address).keep(KEY)
    never, path = threading.Event(), SAMPLES / "shapes.png"
    asked = Request(open_picture(path), (Turn(PROMPT),), Sampling(max_new_tokens=12))
    named = ServerModel(((server.address, 1),), "built-in", sends_png=True)
    remote = open_server_model(named, lambda *_: None, never)
    try:
        answer = remote.answer(asked, lambda piece: None, never)
        served = inspectable(remote, Capability.EVIDENCE).evidence(asked, answer, never)
    finally:
        remote.close()
    assert answer.text == engine.answer(asked, lambda piece: None, never).text
    known = inspectable(engine, Capability.EVIDENCE).evidence(asked, answer, never)
    assert [word.text for word in served.words] == [word.text for word in known.words]
    for one, other in zip(served.words, known.words, strict=True):
        assert one.probability == pytest.approx(other.probability, abs=1e-3)
        assert one.candidates[0].text == other.candidates[0].text
        assert one.doubt == pytest.approx(other.doubt, abs=0.02)


def test_temperature_near_0_is_greedy(client, local):
    expected = local("shapes.png", Turn(PROMPT), most=6).text
    answer = ask(client, about("shapes.png"), temperature=1e-300, max_tokens=6)
    assert answer.choices[0].message.content == expected


def test_sampling_is_repeatable_with_a_seed(client):
    def say(seed):
        answer = ask(client, about("shapes.png"), temperature=2, seed=seed, max_tokens=20)
        return answer.choices[0].message.content

    said = say(3)
    assert say(3) == said
    assert {say(4), say(5)} != {said}


@pytest.mark.slow
def test_many_clients_at_once_get_the_texts_of_the_local_engine(client, local):
    names = sorted(path.name for path in SAMPLES.glob("*.png"))[: SLOTS + QUEUE]
    assert len(names) == 8
    expected = [local(name, Turn(PROMPT), most=12).text for name in names]
    with ThreadPoolExecutor(8) as clients:
        answers = clients.map(lambda name: ask(client, about(name), max_tokens=12), names)
        assert [answer.choices[0].message.content for answer in answers] == expected


# ---- what is refused


@pytest.mark.parametrize(
    ("fields", "message", "param"),
    [
        ({"model": "gpt-4"}, "There is no model “gpt-4” here", "model"),
        ({"messages": []}, "at least 1 item", "messages"),
        ({"messages": [{"role": "user", "content": "Hello"}]}, "There is no image", "messages"),
        ({"messages": [{"role": "tool", "content": "?"}]}, "role", "messages.0.role"),
        ({"messages": [{"role": "assistant", "content": "Hi"}]}, "speak first", "messages"),
        ({"messages": [about("shapes.png"), {"role": "assistant", "content": "A star."},
                       about("birthday.png")]}, "Begin a new conversation", "messages"),
        ({"messages": [about("shapes.png"), about("shapes.png")]}, "one image", "messages"),
        ({"messages": [about("shapes.png", "word " * 3_000)]}, "tokens", "messages"),
        ({"temperature": 3}, "temperature", "temperature"),
        ({"max_tokens": 0}, "max_tokens", "max_tokens"),
        ({"stop": list("abcde")}, "at most 4", "stop"),
        ({"logprobs": True, "top_logprobs": 6}, "5 at most", "top_logprobs"),
        ({"top_logprobs": 2}, "needs “logprobs”", "top_logprobs"),
        ({"n": 2}, "does not support “n”", "n"),
        ({"tools": [{}]}, "does not support “tools”", "tools"),
        ({"response_format": {"type": "json_object"}}, "response_format", "response_format"),
    ],
    ids=count(),
)  # fmt: skip
def test_what_it_cannot_do_is_refused(server, fields, message, param):
    body = {"model": "built-in", "messages": [about("shapes.png")], "max_tokens": 3} | fields
    status, answer, _ = post(server, json.dumps(body).encode())
    assert status == (404 if param == "model" else 400)
    assert message in answer["error"]["message"]
    assert answer["error"]["param"] == param


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/image.png",
        "https://example.org/image.png",
        f"file://{SAMPLES}/shapes.png",
        f"{SAMPLES}/shapes.png",
        "data:image/png,plain",
        "data:image/png;base64,no base64!",
        data_url(b"no image"),
        data_url((SAMPLES / "shapes.png").read_bytes()[:60]),
    ],
)
def test_image_must_come_along(client, openai, url):
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, message)
    assert refused.value.code in ("invalid_image_url", "invalid_image")


def test_broken_body_is_refused(server):
    for body in (b"", b"{", b"[1]", b"\xff", b'{"model": NaN}', b"[" * 100_000):
        assert post(server, body)[0] == 400


@pytest.mark.parametrize(
    "parts",
    [
        b'{"model": "built-in", "messages": [%s]}' % b",".join([b'{"role": "user"}'] * 60_000),
        b'{"model": "built-in", "stop": [%s]}' % b",".join([b"1"] * 200_000),
        b'{"model": "built-in", "logit_bias": {%s}}' % b",".join([b'"1":1'] * 100_000),
        b'{"model": "built-in", "other": %s}' % (b"[],[" * 60_000),
    ],
)
def test_body_of_many_parts_is_refused_unread(server, parts):
    """All clients would wait while it is read."""
    status, answer, _ = post(server, parts)
    assert status == 400
    assert "too many parts" in answer["error"]["message"]


def test_key_is_needed(server):
    for key in ("", "Bearer ", "Bearer wrong", f"Basic {KEY}", f"Bearer {KEY} "[:-2], KEY):
        status, answer, _ = post(server, b"{}", Authorization=key)
        assert (status, answer["error"]["code"]) == (401, "invalid_api_key")
        assert get(server, "/v1/models", Authorization=key)[0] == 401
    assert get(server, "/health", Authorization="") == (200, {"status": "ok"})


def test_web_pages_of_other_sites_are_not_let_in(server):
    assert post(server, b"{}", Host="evil.example:80")[0] == 403
    assert post(server, b"{}", **{"Content-Type": "text/plain"})[0] == 415
    assert post(server, b"{}", Host="localhost:1")[0] == 400


def test_paths_and_methods_that_are_not_there_are_errors_of_openai(server):
    for path in ("/", "/v1/embeddings", "/v1/chat"):
        status, answer = get(server, path)
        assert (status, answer["error"]["type"]) == (404, "not_found_error")
    assert get(server, "/v1/chat/completions")[0] == 405


def test_large_requests_and_images_are_refused(server, client, openai):
    assert post(server, b" " * (MOST_BYTES + 1))[0] == 413
    with pytest.raises(openai.APIStatusError) as refused:  # Without saying its size before.
        ask(client, {"role": "user", "content": "word " * 700_000})
    assert refused.value.status_code == 413
    size = struct.pack(">4sIIBBBBB", b"IHDR", 100_000, 100_000, 8, 2, 0, 0, 0)
    huge = b"\x89PNG\r\n\x1a\n\0\0\0\r" + size + struct.pack(">I", zlib.crc32(size))
    image = {"type": "image_url", "image_url": {"url": data_url(huge)}}
    with pytest.raises(openai.BadRequestError) as refused:
        ask(client, {"role": "user", "content": [image]})
    assert refused.value.code == "invalid_image"


def test_chunked_request_that_grows_too_large_is_refused(server):
    connection = http.client.HTTPConnection(*address(server))
    parts = (b" " * 100_000 for _ in range(MOST_BYTES // 100_000 + 1))
    connection.request("POST", "/v1/chat/completions", parts, headers(), encode_chunked=True)
    assert connection.getresponse().status == 413
    connection.close()


# ---- who waits, and who leaves


def test_full_queue_says_when_to_come_again(server, client):
    begun = [begin_request(server) for _ in range(SLOTS + QUEUE)]
    until(lambda: post(server, b"{}")[0] == 503)
    _, answer, retry_after = post(server, b"{}")
    assert answer["error"]["code"] == "queue_full"
    assert int(retry_after or 0) >= 1
    assert get(server, "/health")[0] == 200
    for connection in begun:
        connection.close()
    until(lambda: post(server, b"{}")[0] == 400)
    assert ask(client, about("shapes.png"), max_tokens=3).usage.completion_tokens == 3


def test_bodies_of_all_clients_together_are_bounded(server):
    part = b" " * (MOST_BYTES - 10)
    begun = [begin_request(server, MOST_BYTES, part) for _ in range(SLOTS + QUEUE - 1)]
    # Which of them is one too many depends on how fast they come.
    until(lambda: any(has_answer(connection) for connection in begun))
    (refused, *_) = [connection.recv(12) for connection in begun if has_answer(connection)]
    assert refused == b"HTTP/1.1 503"
    for connection in begun:
        connection.close()
    until(lambda: post(server, b"{}")[0] == 400)


class PreparingEngine(ScriptedEngine):
    """Prepares images in other threads than that which asks about them."""

    def __init__(self):
        super().__init__(ModelChoice())
        self.prepared = []

    def prepare_picture(self, picture):
        assert threading.current_thread().name.startswith("opener")
        self.prepared.append(picture.pixels.size)
        return replace(picture, prepared=picture.pixels.size)


@pytest.fixture
def scripted(openai):
    """A server whose engine does what the prompt says, one request after the other."""
    engine = ScriptedEngine(ModelChoice())
    with serving(ServeOptions("built-in", port=0, queue=3), lambda stop: engine) as server:
        base_url = f"{server.address}/v1"
        with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            yield server, client, engine
    assert engine.is_closed


def test_client_that_leaves_a_stream_frees_its_slot(scripted, caplog):
    _, client, _ = scripted
    caplog.set_level(logging.INFO, "core.serve.engine_thread")
    with ask(client, about("shapes.png", "hold"), stream=True) as stream:
        said = (chunk.choices[0].delta.content for chunk in stream)
        assert next(filter(None, said)) == "Half an "
    until(lambda: "Answered: stopped" in caplog.text)
    after = ask(client, about("shapes.png", "anything"))
    assert after.choices[0].message.content == "A red square."


def test_image_is_prepared_before_its_turn(openai):
    engine = PreparingEngine()
    with serving(ServeOptions("built-in", port=0), lambda stop: engine) as server:
        base_url = f"{server.address}/v1"
        with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:
            ask(client, about("shapes.png", "say 2 words"))
    assert engine.prepared == [engine.requests[-1].picture.prepared]


def test_several_engines_answer_at_the_same_time_and_none_twice(openai):
    engines = [ScriptedEngine(ModelChoice()), ScriptedEngine(ModelChoice())]
    sources = [
        EngineSource(f"cuda:{number}", lambda stop, engine=engine: engine)
        for number, engine in enumerate(engines)
    ]
    # Room for four clients beside the two before them, which may be leaving yet.
    options = ServeOptions("built-in", port=0, slots=1, queue=4)
    with ExitStack() as stack:
        server = stack.enter_context(serving(options, lambda stop: EngineGroup(sources, stop)))
        client = stack.enter_context(
            openai.OpenAI(base_url=f"{server.address}/v1", api_key="any", max_retries=0)
        )
        # Each engine answers one after the other: both are held, by one answer each.
        with ExitStack() as held:
            for _ in engines:
                stream = held.enter_context(ask(client, about("shapes.png", "hold"), stream=True))
                said = (chunk.choices[0].delta.content for chunk in stream)
                assert next(filter(None, said)) == "Half an "
            assert [len(engine.requests) for engine in engines] == [1, 1]
        # Both are free again once the clients have gone.
        prompts = [f"say {count} words" for count in range(1, 5)]
        with ThreadPoolExecutor(4) as clients:
            answers = clients.map(
                lambda prompt: ask(client, about("shapes.png", prompt)).choices[0], prompts
            )
            assert [len(answer.message.content.split()) for answer in answers] == [1, 2, 3, 4]
    assert sum(len(engine.requests) for engine in engines) == 6
    assert all(engine.is_closed for engine in engines)


def test_client_that_leaves_while_it_waits_for_a_whole_answer_frees_its_slot(scripted, caplog):
    server, client, engine = scripted
    caplog.set_level(logging.INFO, "core.serve.engine_thread")
    message = {"model": "built-in", "messages": [about("shapes.png", "hold")]}
    connection = http.client.HTTPConnection(*address(server))
    connection.request("POST", "/v1/chat/completions", json.dumps(message).encode(), headers())
    until(lambda: engine.requests)
    connection.close()
    until(lambda: "Answered: stopped" in caplog.text)
    assert (
        ask(client, about("shapes.png", "anything")).choices[0].message.content == "A red square."
    )


def test_failure_is_told_before_and_inside_a_stream(scripted, openai):
    _, client, _ = scripted
    with pytest.raises(openai.InternalServerError, match="The device went away"):
        ask(client, about("shapes.png", "fail"))
    with pytest.raises(openai.APIError, match="The device went away"):
        list(ask(client, about("shapes.png", "fail"), stream=True))
    assert (
        ask(client, about("shapes.png", "anything")).choices[0].message.content == "A red square."
    )


def test_closing_server_tells_who_is_answered_and_who_waits(openai):
    engine = ScriptedEngine(ModelChoice())
    with (
        ThreadPoolExecutor(1) as waiting,
        serving(ServeOptions("built-in", port=0), lambda stop: engine) as server,
    ):
        base_url = f"{server.address}/v1"
        client = openai.OpenAI(base_url=base_url, api_key="any", max_retries=0)
        stream = ask(client, about("shapes.png", "hold"), stream=True)
        next(stream)
        whole = waiting.submit(ask, client, about("shapes.png", "hold"))
        until(lambda: get(server, "/health")[0] == 200)
    with pytest.raises(openai.APIError):
        list(stream)
    assert isinstance(whole.exception(), openai.APIError)
    client.close()


# ---- other models


@pytest.mark.slow
def test_model_that_takes_several_images_gets_them_in_order(tmp_path, openai):
    family = "qwen2_5_vl"
    write_chat_model(tmp_path / family, family)

    def load_chat(stop):
        choice = ModelChoice(str(tmp_path / family), device="cpu", dtype=Precision.FLOAT32)
        return open_engine(choice, lambda *_: None, stop)

    names = ("shapes.png", "fruit.png")
    pictures = [open_picture(SAMPLES / name) for name in names]
    engine = load_chat(threading.Event())
    sampling = Sampling(max_new_tokens=5)
    expected = {}
    for first, other in (pictures, pictures[::-1]):
        request = Request(first, (Turn("What?"),), sampling, others=(other,))
        answer = engine.answer(request, lambda _: None, threading.Event())
        expected[first.name] = answer.text
    engine.close()
    with serving(ServeOptions(family, port=0, slots=2), load_chat) as server:
        base_url = f"{server.address}/v1"
        with openai.OpenAI(base_url=base_url, api_key="any", max_retries=0) as client:

            def say(*names, **fields):
                images = [about(name)["content"][0] for name in names]
                text = {"type": "text", "text": "What?"}
                message = {"role": "user", "content": [*images, text]}
                return ask(client, message, model=family, max_tokens=5, **fields)

            for order in (names, names[::-1]):
                assert say(*order).choices[0].message.content == expected[order[0]]
            scored = say(*names, logprobs=True).choices[0].logprobs.content
            assert len(scored) == 5
            assert all(token.logprob <= 0 for token in scored)


# ---- starting


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.org"])
def test_other_computers_need_a_key(host):
    with (
        pytest.raises(ServeError, match="clients need a key"),
        serving(ServeOptions("built-in", host=host), load),
    ):
        pass


def test_port_that_is_taken_is_named():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with (
            pytest.raises(ServeError, match=f"port {port} cannot be used"),
            serving(ServeOptions("built-in", port=port), load),
        ):
            pass


def test_model_that_cannot_be_loaded_is_the_servers_error():
    def fail(stop):
        raise CheckpointError("This is no model. Choose another one.")

    with (
        pytest.raises(CheckpointError, match="no model"),
        serving(ServeOptions("built-in", port=0), fail),
    ):
        pass


def test_command_serves_until_it_is_stopped(monkeypatch, openai):
    monkeypatch.setenv("ONLOOKER_SERVE_KEY", KEY)
    command = parse(["serve", "--port", "0", "--device", "cpu", "--slots", "2", "--queue", "1"])
    assert isinstance(command, ServeCommand)
    stop, lines = threading.Event(), queue.SimpleQueue()
    with ThreadPoolExecutor(1) as terminal:
        status = terminal.submit(serve_terminal.run, command, stop, lines.put)
        with ExitStack() as ended:
            ended.callback(stop.set)
            line = lines.get(timeout=120)
            base_url = next(word for word in line.split() if "://" in word)
            with openai.OpenAI(base_url=base_url, api_key=KEY, max_retries=0) as client:
                assert ask(client, about("shapes.png"), max_tokens=2).usage.completion_tokens == 2
        assert status.result() == 130


def test_command_keeps_the_key_in_the_keyring(monkeypatch, keyring_in_memory, capsys):
    monkeypatch.setattr("sys.stdin", StringIO(f"{KEY}\n"))
    assert terminal_main(["serve", "--set-key"]) == 0
    assert read_key({}) == KEY
    assert read_key({"ONLOOKER_SERVE_KEY": "another"}) == "another"
    monkeypatch.setattr("sys.stdin", StringIO("\n"))
    assert terminal_main(["serve", "--set-key"]) == 0
    assert read_key({}) == ""
    assert KEY not in "".join(capsys.readouterr())


@pytest.mark.parametrize("key", ["plain", "a=b==", "schlüssel-à", "key-秘", "raw-\udcff"])
def test_key_may_have_any_letters(key):
    """Headers come decoded as Latin-1."""
    sent = f"Bearer {key}".encode("utf-8", "surrogateescape").decode("latin-1")
    assert is_key(sent, key)
    assert is_key(sent.replace("Bearer", "bearer "), key)
    for wrong in (f"{sent}x", sent[:-1], sent.replace("Bearer", "Basic"), "", "Bearer \xff"):
        assert not is_key(wrong, key)


def test_command_says_which_port_is_taken(monkeypatch, capsys):
    monkeypatch.setenv("ONLOOKER_SERVE_KEY", "")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert terminal_main(["serve", "--port", str(taken.getsockname()[1])]) == 1
    assert "cannot be used" in capsys.readouterr().err
    assert terminal_main(["serve", "--host", "0.0.0.0"]) == 1
    assert "clients need a key" in capsys.readouterr().err
    assert terminal_main(["serve", "--port", "70000"]) == 2


# ---- plain HTTP


def address(server):
    host, _, port = server.address.removeprefix("http://").partition(":")
    return host, int(port)


def headers(**others):
    usual = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    return usual | others


def post(server, body, **others):
    """The status, the JSON, and when to try again."""
    connection = http.client.HTTPConnection(*address(server))
    connection.request("POST", "/v1/chat/completions", body, headers(**others))
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer, response.getheader("Retry-After")


def get(server, path, **others):
    connection = http.client.HTTPConnection(*address(server))
    connection.request("GET", path, headers=headers(**others))
    response = connection.getresponse()
    answer = json.loads(response.read())
    connection.close()
    return response.status, answer


def begin_request(server, length=100, part=b""):
    """A request whose body never comes, or only a part of it."""
    connection = socket.create_connection(address(server))
    lines = [f"{name}: {value}" for name, value in headers(Host="localhost").items()]
    head = ["POST /v1/chat/completions HTTP/1.1", *lines, f"Content-Length: {length}", "", ""]
    with suppress(ConnectionError):  # It was refused before all of it had come.
        connection.sendall("\r\n".join(head).encode() + part)
    return connection


def has_answer(connection):
    return bool(select.select([connection], [], [], 0)[0])


def until(is_so):
    pause = threading.Event()
    for _ in range(2_000):
        if is_so():
            return
        pause.wait(0.01)
    pytest.fail("it did not come to that")
