"""Renders chat templates in an isolated child, in the environment that transformers gives them.

A test compares the two. transformers itself is not imported here: it takes more than a second.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from jinja2 import Template, TemplateError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension, loopcontrols
from jinja2.parser import Parser
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import Namespace

# Some 256,000 tokens are the most that a model reads.
LONGEST_PROMPT = 8_000_000


def answer(request: dict[str, Any], note_stage: Callable[[str], None]) -> dict[str, Any]:
    """Does a request of `core.chat.template.ChatTemplate`."""
    note_stage("chat template")
    text = render(request["template"], request["messages"], request["special_tokens"])
    return {"text": text}


def render(template: str, messages: list[dict[str, Any]], special_tokens: dict[str, Any]) -> str:
    """Returns what the template makes of the conversation, up to where the answer begins.

    Raises whatever the template raises, and ValueError if the text is too long for any model.
    """
    text = compiled(template).render(
        messages=messages,
        tools=None,
        documents=None,
        add_generation_prompt=True,
        **special_tokens,
    )
    if len(text) > LONGEST_PROMPT:
        raise ValueError(f"it makes {len(text):,} letters of it")
    return text


@lru_cache(maxsize=1)
def compiled(template: str) -> Template:
    """Returns the template in transformers' environment. Raises TemplateError for a wrong one."""
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[_Generation, loopcontrols]
    )
    environment.filters["tojson"] = _tojson
    environment.globals |= {
        "raise_exception": _raise_exception,
        "strftime_now": _strftime_now,
        "dict": _Dict(),
        "namespace": _Namespace,
    }
    return environment.from_string(template)


class _Generation(Extension):
    """The tag around answers, which marks them for training and prints what is inside."""

    tags = {"generation"}  # noqa: RUF012 (as jinja2 declares it)

    def parse(self, parser: Parser) -> nodes.Node:
        line = next(parser.stream).lineno
        body = parser.parse_statements(("name:endgeneration",), drop_needle=True)
        return nodes.CallBlock(self.call_method("_same"), [], [], body).set_lineno(line)

    def _same(self, caller: Callable[[], str]) -> str:
        return caller()


class _Dict:
    """Makes dicts; not the type itself, whose attributes lead further."""

    def __call__(self, *args: Any, **named: Any) -> dict[Any, Any]:
        return dict(*args, **named)

    def fromkeys(self, *args: Any) -> dict[Any, Any]:
        return dict.fromkeys(*args)


class _Namespace(Namespace):
    """jinja2's, without names that begin with an underscore."""

    def __init__(*args: Any, **named: Any):
        own, *rest = args
        values = dict(*rest, **named)
        for name in values:
            _require_public(name)
        Namespace.__init__(own, values)

    def __setitem__(self, name: str, value: Any) -> None:
        _require_public(name)
        super().__setitem__(name, value)


def _require_public(name: object) -> None:
    if isinstance(name, str) and name.startswith("_"):
        raise SecurityError(f"{name!r} must not begin with an underscore")


def _tojson(
    value: Any,
    ensure_ascii: bool = False,
    indent: int | None = None,
    separators: tuple[str, str] | None = None,
    sort_keys: bool = False,
) -> str:
    """JSON as a model reads it; jinja2's own filter is for HTML."""
    return json.dumps(
        value,
        ensure_ascii=ensure_ascii,
        indent=indent,
        separators=separators,
        sort_keys=sort_keys,
    )


def _raise_exception(message: str) -> None:
    raise TemplateError(message)


def _strftime_now(format: str) -> str:
    return datetime.now().strftime(format)
