"""A message is its English text, and remembers the template and fields that a translation needs."""

import json
import pickle
import sqlite3
from pathlib import Path

import pytest

from core.errors import CheckpointError, HubError, HubNeed, StoreError
from core.message import (
    Message,
    as_record,
    from_record,
    joined,
    renamed,
    translatable,
    without_names,
    without_numbers,
)

TEXT = "“{name}” has {count} frames."


@pytest.fixture
def message():
    return translatable("core", TEXT).format(name="a{b}.gif", count=3)


def test_a_message_is_its_text(message):
    text = "“a{b}.gif” has 3 frames."
    assert message == text
    assert f"{message}" == text
    assert {text: 1}[message] == 1
    assert json.dumps([message], ensure_ascii=False) == f'["{text}"]'
    assert sqlite3.connect(":memory:").execute("SELECT ?", (message,)).fetchone() == (text,)


def test_a_message_crosses_processes_whole(message):
    for whole in (pickle.loads(pickle.dumps(message)), pickle.loads(pickle.dumps(joined(message)))):
        assert whole == message
    again = pickle.loads(pickle.dumps(message))
    assert (again.template, again.fields) == (TEXT, {"name": "a{b}.gif", "count": 3})


def test_an_error_keeps_its_message_and_prints_as_its_text(message):
    error = pickle.loads(pickle.dumps(StoreError(message)))
    assert str(error) == message
    assert isinstance(error.message, Message)
    assert (error.message.template, error.message.fields) == (TEXT, message.fields)


def test_an_error_may_have_a_text_of_another_origin():
    error = HubError("100 % of {it}", HubNeed.TOKEN)
    assert str(error) == error.message == "100 % of {it}"


def test_errors_paths_and_messages_may_be_fields(message):
    why = translatable("core", "{place}: {cause} {other}").format(
        place=Path("x"), cause=StoreError(message), other=OSError("gone")
    )
    assert why == f"x: {message} gone"
    assert isinstance(why.fields["cause"], Message)
    assert why.fields["cause"].template == TEXT


def test_fields_have_names(message):
    with pytest.raises(TypeError):
        message.format("a.gif", 3)


def test_joined_sentences_stay_messages(message):
    whole = joined(message, "", "Go on.")
    assert whole == f"{message} Go on."
    assert [getattr(field, "template", None) for field in whole.fields.values()] == [TEXT, None]


@pytest.mark.parametrize("name", ["x" * 5_000, "word " * 1_000, "a\nb\x1b[31m" * 100])
def test_what_a_model_says_is_cut_and_printable_and_its_sentence_stays(name):
    inner = translatable("core", "({name})").format(name=name)
    error = CheckpointError(
        translatable("core", "Bad {name} {inner}.").format(name=name, inner=inner)
    )
    assert len(str(error)) <= 605
    assert str(error).isprintable()
    short = CheckpointError(translatable("core", "Bad {name}.").format(name=name))
    assert isinstance(short.message, Message)
    assert short.message.template == "Bad {name}."
    assert len(str(short)) < 320


def test_names_and_numbers_are_left_out_of_a_message_that_stays_one(message):
    name = without_names(message)
    assert name == "“…” has 3 frames."
    number = without_numbers(message)
    assert number == "“a{b}.gif” has … frames."
    assert [getattr(one, "template", None) for one in (name, number)] == [TEXT, TEXT]
    kept = "“a” and “b” have 1,024 frames."  # As journals keep it.
    assert without_names(kept) == "“…” and “…” have 1,024 frames."
    assert without_numbers(kept) == "“a” and “b” have … frames."
    around = translatable("core", "{image} failed: {why}").format(image="“x.png”", why=message)
    assert without_names(around) == "“…” failed: “…” has 3 frames."
    assert without_numbers(around) == "“x.png” failed: “a{b}.gif” has … frames."


def test_a_name_in_a_message_can_be_replaced(message):
    other = renamed(message, "a{b}.gif", "model")
    assert other == "“model” has 3 frames."
    assert isinstance(other, Message)
    assert renamed("“a” is gone.", "a", "b") == "“b” is gone."


def test_a_message_is_made_again_from_its_record(message):
    for text in (message, joined(message, "plain"), "plain", ""):
        made = from_record(json.loads(json.dumps(as_record(text))))
        assert (made, type(made), vars(made) if isinstance(text, Message) else {}) == (
            text,
            type(text),
            vars(text) if isinstance(text, Message) else {},
        )


@pytest.mark.parametrize(
    "record",
    [
        None,
        3,
        [],
        {},
        {"template": "{a}"},
        {"template": "{a}", "fields": []},
        {"template": 3, "fields": {}},
        {"template": "{a.b}", "fields": {"a": "x"}},
        {"template": "{a}", "fields": {"b": "x"}},
        {"template": "{a}", "fields": {"a": None}},
        {"template": "{", "fields": {"a": "x"}},
    ],
    ids=str,
)
def test_what_is_no_record_of_a_message_is_refused(record):
    with pytest.raises(ValueError):  # noqa: PT011
        from_record(record)
