"""A model on servers as an engine, against servers on loopback that answer and misbehave."""

from __future__ import annotations

import gc
import json
import logging
import threading
import time
import weakref
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from PIL import Image

from core.engine import Capability
from core.errors import EngineError, PromptError, ServerError, ServerFault
from core.model_reference import ServerModel
from core.picture import Picture
from core.remote.opening import check_server, list_models, open_server_model
from core.transcript import Ending, Request, Sampling, Turn
from tests.support.model_server import MODEL, Fault, ModelServer, colour_name, pixels_in


def picture(colour=(200, 40, 40), size=(64, 48)) -> Picture:
    return Picture(None, Image.new("RGB", size, colour), original_size=size)


def request(prompt="What is it?", one: Picture | None = None, **sampling) -> Request:
    return Request(one or picture(), (Turn(prompt),), Sampling(**sampling))


def ask(engine, asked: Request | None = None):
    pieces: list[str] = []
    answer = engine.answer(asked or request(), pieces.append, threading.Event())
    return answer, pieces


def test_answer_is_streamed_and_counted(server, use):
    engine = use(server)
    answer, pieces = ask(engine)
    assert answer.text == f"{colour_name(picture().pixels)} for What is it?"
    assert "".join(pieces) == answer.text
    assert len(pieces) > 2
    assert (answer.ending, answer.input_tokens) == (Ending.COMPLETE, 600)
    assert answer.tokens == len(server.pieces(answer.text))
    assert engine.facts.model == MODEL
    assert engine.facts.device_name == server.address.partition("//")[2]
    assert {Capability.EVIDENCE, Capability.TRACE} <= set(engine.facts.missing)


@pytest.fixture
def without_collector() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("without_collector")
@pytest.mark.parametrize("how", ["alone", "together", "stopped"])
def test_image_is_let_go_once_its_answer_is_there(server, use, how):
    """Not only when the garbage collector comes by: a run would hold hundreds of images."""
    engine, stop = use(server), threading.Event()
    if how == "stopped":
        server.pieces, server.seconds = str.split, 30
    asked = [request(str(number)) for number in range(4)]
    kept = [weakref.ref(one.picture) for one in asked]
    if how == "alone":
        for one in asked:
            engine.answer(one, lambda piece: None, stop)
        del one
    else:
        hear = (lambda *_: stop.set()) if how == "stopped" else None
        assert len(list(engine.answer_all(asked, stop, slots=2, on_piece=hear))) in (2, 4)
    asked.clear()
    # The servers' thread holds the last a moment longer.
    deadline = time.monotonic() + 30
    while any(ref() for ref in kept) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert [ref() for ref in kept] == [None] * 4


def test_server_that_does_not_stream_or_count_is_understood(server, use):
    server.faults, server.sends_usage = [Fault(stream="whole")], False
    engine = use(server)
    assert ask(engine)[0].text == ask(engine)[0].text


@pytest.mark.parametrize("sends_png", [False, True])
def test_image_is_sent_upright_and_no_larger_than_chosen(server, use, sends_png):
    engine = use(server, longest_side=100, sends_png=sends_png)
    ask(engine, request(one=picture(size=(400, 200))))
    sent = pixels_in(server.captions()[-1])
    assert (sent.size, sent.format) == ((100, 50), "PNG" if sends_png else "JPEG")


def test_image_that_is_refused_as_too_large_is_sent_smaller_and_so_is_the_next(server, use):
    engine = use(server, sends_png=True)
    server.largest_body = 30_000
    noise = Image.effect_noise((600, 400), 90).convert("RGB")
    for _ in range(2):
        ask(engine, request(one=Picture(None, noise)))
    assert {pixels_in(body).size for body in server.captions()} == {(75, 50)} or (
        len(server.captions()) == 2
    )
    assert len(server.captions()) == 2


def test_conversation_has_its_image_in_front_of_the_first_prompt(server, use):
    engine = use(server)
    turns = (Turn("First?", "Yes."), Turn("And then?"))
    answer, _ = ask(engine, replace(request(), turns=turns))
    messages = server.captions()[-1]["messages"]
    assert [one["role"] for one in messages] == ["user", "assistant", "user"]
    assert [part["type"] for part in messages[0]["content"]] == ["image_url", "text"]
    assert messages[2]["content"] == "And then?"
    assert answer.text.endswith("for And then?")


def test_greedy_request_has_as_few_fields_as_possible(server, use):
    ask(use(server))
    assert set(server.captions()[-1]) == {
        *("model", "messages", "stream", "stream_options", "max_tokens", "temperature")
    }


def test_sampling_is_sent_and_refused_fields_are_learnt_and_told(server, use):
    server.refused = {"top_k", "seed", "repetition_penalty"}
    engine = use(server)
    assert "top-k, seed, repetition penalty" in " ".join(engine.facts.notes)
    asked = Sampling(temperature=0.7, top_k=5, seed=7, repetition_penalty=1.5, beams=3)
    assert engine.facts.followed(asked) == Sampling(temperature=0.7)
    before = len(server.asked)
    ask(engine, request(temperature=0.7, top_p=0.9, seed=3))
    (body,) = server.asked[before:]
    assert (body["temperature"], body["top_p"], body["min_p"]) == (0.7, 0.9, 0.0)
    assert not server.refused & set(body)


def test_what_one_of_several_servers_follows_is_offered(use):
    with ModelServer().running() as one, ModelServer().running() as other:
        one.refused, other.refused = {"top_k", "seed"}, {"seed"}
        facts = use(one, other).facts
        assert Capability.SEED in facts.missing
        assert Capability.TOP_K not in facts.missing
        assert "top-k" in " ".join(facts.notes)


def test_settings_are_packed_as_transformers_serve_takes_them(server, use):
    """It samples only if `generation_config` says so, and refuses the fields that belong there."""
    engine = use(server)
    said = "Unexpected fields in the request: {'min_p', 'top_k', 'repetition_penalty'}"
    server.faults = [Fault(422, said)]
    ask(engine, request(temperature=0.7, repetition_penalty=1.2))
    body = server.captions()[-1]
    assert not {"top_k", "min_p", "repetition_penalty"} & set(body)
    assert body["temperature"] == 0.7
    assert json.loads(body["generation_config"]) == {
        "do_sample": True,
        "top_k": 50,
        "min_p": 0.0,
        "repetition_penalty": 1.2,
    }
    ask(engine, request(repetition_penalty=1.2))
    assert json.loads(server.captions()[-1]["generation_config"]) == {"repetition_penalty": 1.2}
    ask(engine)
    assert "generation_config" not in server.captions()[-1]


def test_length_is_told_apart_from_the_end(server, use):
    engine = use(server)
    server.pieces = lambda text: ["a"] * 5
    assert ask(engine, request(max_new_tokens=9))[0].ending is Ending.COMPLETE
    answer, _ = ask(engine, request(max_new_tokens=3))
    assert (answer.text, answer.ending) == ("aaa", Ending.LENGTH)


@pytest.mark.parametrize(
    "asked",
    [
        request(beams=2),
        request(banned_words=("cat",)),
        Request(picture(), ()),
        Request(picture(), (Turn("Which?"),), others=(picture(),) * 20),
    ],
    ids=["beams", "banned", "nothing", "many"],
)
def test_what_no_server_can_do_is_said_before_anything_is_sent(server, use, asked):
    engine = use(server)
    before = len(server.asked)
    with pytest.raises(PromptError):
        ask(engine, asked)
    assert len(server.asked) == before


def test_stop_closes_the_stream_and_the_server_stops_too(server, use):
    engine = use(server)
    server.pieces, server.seconds = (lambda text: ["word "] * 400), 20.0
    stop, pieces = threading.Event(), []

    def on_piece(piece: str) -> None:
        pieces.append(piece)
        stop.set()

    answer = engine.answer(request(), on_piece, stop)
    assert answer.ending is Ending.STOPPED
    assert answer.text == "".join(pieces).strip()
    assert server.has_left.wait(10)


def test_model_that_answers_but_does_not_see_is_refused(server, use):
    server.is_blind = True
    with pytest.raises(ServerError, match="answers, but does not see images") as error:
        use(server)
    assert error.value.fault is ServerFault.BLIND


# Faults

SHOWN_FAULTS = [
    (Fault(401), ServerFault.KEY, "requires a key"),
    (Fault(403, "Not for you"), ServerFault.FORBIDDEN, "Not for you"),
    (Fault(404, "no such model"), ServerFault.NO_MODEL, "Choose one that the server lists"),
    (Fault(400, "This image is broken"), ServerFault.REQUEST, "This image is broken"),
    (Fault(413), ServerFault.TOO_LARGE, "too large"),
    (Fault(422, "odd"), ServerFault.REQUEST, "odd"),
    (Fault(429, headers={"Retry-After": "90"}), ServerFault.BUSY, "Try again in 90 s"),
    (Fault(500, "out of memory"), ServerFault.FAILED, "out of memory"),
    (Fault(502), ServerFault.UNAVAILABLE, "HTTP 502"),
    (Fault(503, "Loading model"), ServerFault.UNAVAILABLE, "Loading model"),
    (Fault(307, headers={"Location": "http://x.example/"}), ServerFault.REDIRECTED, "x.example"),
    (Fault(stream="cut"), ServerFault.CUT, "before its answer was complete"),
    (Fault(stream="no end"), ServerFault.NO_END, "complete"),
    (Fault(stream="garbage"), ServerFault.GARBAGE, "does not understand"),
    (Fault(stream="not http"), ServerFault.GARBAGE, "does not understand"),
    (Fault(stream="error"), ServerFault.FAILED, "CUDA error"),
    (Fault(stream="hang"), ServerFault.SILENT, "sent nothing for 1 s"),
]


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    SHOWN_FAULTS,
    ids=[str(one[0].status) + one[0].stream for one in SHOWN_FAULTS],
)
def test_each_fault_is_a_sentence_with_an_action(server, use, fault, kind, words):
    engine = use(server, silent_seconds=1.0 if fault.stream == "hang" else 10.0)
    server.faults = [fault] * 20
    if fault.status in (502, 503):
        server.listing = fault
    with pytest.raises(ServerError) as error:
        ask(engine)
    assert error.value.fault is kind
    assert words in str(error.value)
    assert str(error.value).count(". ") >= 1


@pytest.mark.parametrize(
    "fault",
    [Fault(429), Fault(500), Fault(503), Fault(stream="garbage"), Fault(stream="not http")],
    ids=["429", "500", "503", "garbage", "not http"],
)
def test_fault_that_passes_is_tried_again_while_nothing_was_shown(server, use, fault):
    engine = use(server)
    server.faults = [fault]
    answer, pieces = ask(engine)
    assert answer.text.startswith("colour")
    assert "".join(pieces) == answer.text


@pytest.mark.parametrize("stream", ["cut", "no end", "error", "hang"])
def test_answer_that_was_shown_in_part_is_not_asked_again(server, use, stream):
    engine = use(server, silent_seconds=1.0 if stream == "hang" else 10.0)
    server.faults = [Fault(stream=stream)]
    with pytest.raises(ServerError):
        ask(engine)
    assert len(server.captions()) == 1


def test_engine_answers_again_after_a_fault(server, use):
    engine = use(server)
    server.faults = [Fault(stream="cut")]
    with pytest.raises(ServerError):
        ask(engine)
    assert ask(engine)[0].ending is Ending.COMPLETE


def test_server_that_is_not_there_is_told(server, use):
    engine = use(server)
    server.die()
    with pytest.raises(ServerError, match=r"cannot be reached \(connection refused\)"):
        ask(engine)


@pytest.mark.parametrize(
    ("address", "fault"),
    [
        ("http://no-such-host.invalid:8000", ServerFault.UNKNOWN_HOST),
        ("http://127.0.0.1:1", ServerFault.REFUSED),
        # It may have several addresses.
        ("http://localhost:1", ServerFault.REFUSED),
    ],
)
def test_address_without_a_server_is_told(address, fault):
    said = "connection refused" if fault is ServerFault.REFUSED else "There is no host"
    with pytest.raises(ServerError, match=said) as error:
        open_server_model(ServerModel(((address, 1),), MODEL), lambda *_: None, threading.Event())
    assert error.value.fault is fault


def test_model_that_is_not_listed_is_told_with_those_that_are(server):
    named = ServerModel(((server.address, 1),), "other/model")
    with pytest.raises(ServerError, match=f"Choose one: {MODEL}") as error:
        open_server_model(named, lambda *_: None, threading.Event())
    assert error.value.fault is ServerFault.NO_MODEL


@pytest.mark.parametrize("listing", [Fault(404), Fault(stream="garbage"), Fault(stream="not http")])
def test_server_that_is_none_for_models_is_told(server, use, listing):
    server.listing = listing
    with pytest.raises(ServerError) as error:
        use(server)
    assert error.value.fault in (ServerFault.NO_API, ServerFault.GARBAGE)


def test_certificate_that_nobody_vouches_for_is_refused(tmp_path, use, monkeypatch):
    certificate = self_signed(tmp_path)
    with ModelServer(certificate=certificate).running() as server:
        with pytest.raises(ServerError, match=r"certificate .* not trusted") as error:
            use(server)
        assert error.value.fault is ServerFault.TLS
        monkeypatch.setenv("SSL_CERT_FILE", certificate[0])
        assert ask(use(server))[0].text.startswith("colour")


def test_https_to_a_server_without_encryption_is_told(server):
    address = server.address.replace("http:", "https:")
    with pytest.raises(ServerError, match="without encryption"):
        open_server_model(ServerModel(((address, 1),), MODEL), lambda *_: None, threading.Event())


def self_signed(folder: Path) -> tuple[str, str]:
    import datetime
    import ipaddress

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "gpubox")])
    now = datetime.datetime.now(datetime.UTC)
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(7)
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=9))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "cert.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    (folder / "key.pem").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return str(folder / "cert.pem"), str(folder / "key.pem")


# Many requests


def many(count: int) -> list[Request]:
    """Requests about images that differ, so that each has an answer of its own."""
    return [request(one=picture((16 * (n % 16), 16 * (n // 16), 128))) for n in range(count)]


def answered(engine, requests, *, slots=8, stop=None):
    found = []
    for one, answer in engine.answer_all(iter(requests), stop or threading.Event(), slots=slots):
        found.append((requests.index(one), answer))
    return found


def require_each_once(requests, found):
    assert sorted(index for index, _ in found) == list(range(len(requests)))
    for index, answer in found:
        assert answer.text.startswith(colour_name(requests[index].picture.pixels))


def test_many_are_answered_at_once_each_with_its_own(server, use):
    engine, requests = use(server, sends_png=True), many(60)
    server.gate.clear()
    watcher = threading.Thread(target=open_gate, args=(server, 4))
    watcher.start()
    require_each_once(requests, answered(engine, requests))
    watcher.join()
    assert 4 <= server.most_under_way <= 8


def open_gate(server, count):
    """Lets a server answer once so many requests wait for it, or there are never so many."""
    deadline = time.monotonic() + 15
    while server.under_way < count and time.monotonic() < deadline:
        time.sleep(0.001)
    server.gate.set()


def test_busy_server_is_asked_less_at_once_and_none_is_lost(server, use):
    server.seconds, server.most_at_once = 0.02, 2
    requests = many(30)
    require_each_once(requests, answered(use(server, sends_png=True), requests, slots=16))


def test_servers_share_the_work(use):
    with ModelServer().running() as first, ModelServer().running() as second:
        first.seconds = second.seconds = 0.02
        requests = many(60)
        engine = use(first, second, sends_png=True)
        require_each_once(requests, answered(engine, requests))
        assert len(first.captions()) > 10
        assert len(second.captions()) > 10


def test_server_that_dies_gives_its_images_to_the_other(use):
    with ModelServer().running() as first, ModelServer().running() as second:
        first.seconds = second.seconds = 0.05
        requests = many(60)
        found = []
        engine = use(first, second, sends_png=True)
        for one, answer in engine.answer_all(iter(requests), threading.Event(), slots=8):
            found.append((requests.index(one), answer))
            if len(found) == 10:
                second.die()
        require_each_once(requests, found)


def test_every_fault_in_a_run_passes_and_none_is_lost_or_twice(server, use):
    engine = use(server, sends_png=True)
    server.faults = [
        *(Fault(429), Fault(500), Fault(503), Fault(stream="cut"), Fault(stream="no end")),
        *(Fault(stream="garbage"), Fault(stream="error"), Fault(stream="not http")),
    ]
    requests = many(40)
    require_each_once(requests, answered(engine, requests))


def test_request_that_a_server_refuses_is_told_and_the_others_are_answered(server, use):
    engine = use(server)
    server.faults = [Fault(400, "This image is broken")]
    found = answered(engine, many(10), slots=1)
    (failed,) = [outcome for _, outcome in found if isinstance(outcome, EngineError)]
    assert "This image is broken" in str(failed)
    assert len(found) == 10


def test_run_without_any_server_left_ends_with_what_is_wrong(server, use):
    engine = use(server)
    server.faults = [Fault(401)] * 50
    with pytest.raises(ServerError, match="requires a key"):
        answered(engine, many(10))


def test_stop_ends_all_that_are_under_way(server, use):
    engine = use(server)
    server.pieces, server.seconds = (lambda text: ["word "] * 400), 20.0
    stop, requests = threading.Event(), many(20)
    endings = []
    asked = engine.answer_all(iter(requests), stop, slots=4, on_piece=lambda *_: stop.set())
    for _, answer in asked:
        endings.append(answer.ending)
    assert set(endings) == {Ending.STOPPED}
    assert len(endings) <= 4


# Keys


@pytest.fixture
def everything_logged(caplog):
    """What all libraries say too."""
    caplog.set_level(logging.DEBUG)
    return caplog


def test_key_goes_to_its_server_and_to_no_other_and_is_never_repeated(
    use, monkeypatch, everything_logged
):
    with ModelServer().running() as first, ModelServer().running() as second:
        first.key = "sk-very-secret"
        host = first.address.partition("//")[2]
        monkeypatch.setenv("ONLOOKER_SERVER_KEY", f"{host}=sk-very-secret")
        engine = use(first, second)
        answered(engine, many(20))
        assert set(first.keys) == {"Bearer sk-very-secret"}
        assert set(second.keys) == {""}
        assert "secret" not in repr(engine.facts)
    assert everything_logged.text
    assert "very-secret" not in everything_logged.text


def test_rejected_key_is_told_without_the_key(server, use, monkeypatch, everything_logged):
    server.key = "sk-other"
    monkeypatch.setenv("ONLOOKER_SERVER_KEY", "sk-very-secret")
    with pytest.raises(ServerError, match="rejected the key") as error:
        use(server)
    assert "very-secret" not in str(error.value) + everything_logged.text


@pytest.mark.parametrize("key", ["abc\ndef", "abc\x01", "a\u2028b", "\ud83d", "a\tb"])
def test_key_that_cannot_be_sent_is_said_and_never_quoted(server, key, everything_logged):
    for ask in (list_models, partial(check_server, model=MODEL)):
        with pytest.raises(ServerError, match="Enter it again") as error:
            ask(server.address, stop=threading.Event(), key=key)
        assert error.value.fault is ServerFault.KEY
        assert error.value.__cause__ is None
    assert server.keys == []
    assert key not in everything_logged.text


def test_one_key_for_several_servers_is_refused(use, monkeypatch):
    monkeypatch.setenv("ONLOOKER_SERVER_KEY", "sk-very-secret")
    with (
        ModelServer().running() as first,
        ModelServer().running() as second,
        pytest.raises(ServerError, match="HOST=KEY"),
    ):
        use(first, second)
    assert not {"Bearer sk-very-secret"} & {*first.keys, *second.keys}
