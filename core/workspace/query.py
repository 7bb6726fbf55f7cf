"""What a query line says: which images of a workspace are wanted.

    dog "on a beach"        both in the caption or the file's name
    tag:dog -tag:cat        with one tag and without another; also `not tag:cat`
    (dog or cat) chars:>200 alternatives, and longer than 200 characters
    name:IMG_20?? /no. \\d+/ wildcards, and a regular expression for the caption

Terms side by side are all wanted, `or` binds less than that. A value in quotes may have blanks, and
`\\` before a character takes it literally. `terms` knows the words before the colon.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from core.message import Message, translatable
from core.workspace.matching import LONG, All, Any, Not, Test
from core.workspace.query_error import QueryError
from core.workspace.term import Term
from core.workspace.terms import QUERY_KEYS, test_of

_WORDS = ("and", "or", "not")
_SPECIAL = re.compile(r'([\\"*?/])')
_NEEDS_QUOTES = re.compile(r'[\s()":\\*?/]|^-|^(?:and|or|not)$|^$', re.IGNORECASE)
_KEY = re.compile(r"([A-Za-z-]+):")
# Deeper parentheses are no query of a person.
_DEEPEST = 50


@dataclass(frozen=True)
class Query:
    """An understood query; made by `parse_query`."""

    text: str
    test: Test

    @cached_property
    def stages(self) -> tuple[Test | None, Test | None]:
        """The tests to make one after the other: those that take some 100 ms at most for 100,000
        images, and those that take longer; None for none."""
        tests = self.test.tests if isinstance(self.test, All) else (self.test,)
        slow = tuple(test for test in tests if test.cost >= LONG)
        quick = tuple(test for test in tests if test.cost < LONG)
        return (All(quick) if quick else None, All(slow) if slow else None)


def parse_query(text: str) -> Query | None:
    """Returns what a query line says; None if it is blank, so that all images are wanted. Raises
    QueryError."""
    tokens = tokens_of(text)
    if not tokens:
        return None
    return Query(text, _Parser(text, tokens).parsed())


def query_term(key: str, value: str) -> str:
    """Returns the term that finds just this value, as `tag:"a dog"`."""
    if _NEEDS_QUOTES.search(value):
        escaped = _SPECIAL.sub(r"\\\1", value)
        value = f'"{escaped}"'
    return f"{key}:{value}" if key else value


@dataclass(frozen=True)
class Token:
    """A part of a query line, from `start` to `end`. `kind` is one of `(`, `)`, `-`, the words
    `and`, `or`, `not`, and `term` for anything else."""

    kind: str
    start: int
    end: int
    term: Term | None = None


def tokens_of(text: str) -> list[Token]:
    """Takes a query line apart. Raises QueryError."""
    tokens: list[Token] = []
    at = 0
    while at < len(text):
        sign = text[at]
        if sign.isspace():
            at += 1
        elif sign in "()" or (sign == "-" and at + 1 < len(text) and not text[at + 1].isspace()):
            tokens.append(Token(sign, at, at + 1))
            at += 1
        else:
            token = _term_at(text, at)
            tokens.append(token)
            at = token.end
    return tokens


def _term_at(text: str, start: int) -> Token:
    key, at = "", start
    found = _KEY.match(text, start)
    if found and found[1].lower() in QUERY_KEYS:
        key, at = found[1].lower(), found.end()
    sign = text[at] if at < len(text) else ""
    if sign == '"':
        value, end = _quoted(text, at, '"')
        return Token("term", start, end, Term(key, value, at, end, is_quoted=True))
    if sign == "/":
        value, end = _quoted(text, at, "/")
        return Token("term", start, end, Term(key, value, at, end, is_regex=True))
    end = _end_of_word(text, at)
    value = text[at:end]
    if not key and value.lower() in _WORDS:
        return Token(value.lower(), start, end)
    return Token("term", start, end, Term(key, value, at, end))


def _quoted(text: str, start: int, sign: str) -> tuple[str, int]:
    """Returns the value between two signs, with its backslashes, and where it ends."""
    at = start + 1
    while at < len(text):
        if text[at] == "\\":
            at += 2
        elif text[at] == sign:
            return text[start + 1 : at], at + 1
        else:
            at += 1
    message = translatable("core", "Close the quotation with {sign}.").format(sign=sign)
    raise QueryError(message, start, len(text))


def _end_of_word(text: str, start: int) -> int:
    """Returns where a value without quotes ends; parentheses inside it belong to it in pairs."""
    depth, at = 0, start
    while at < len(text) and not text[at].isspace():
        if text[at] == "\\":
            at += 1
        elif text[at] == "(":
            depth += 1
        elif text[at] == ")":
            depth -= 1
            if depth < 0:
                break
        at += 1
    return min(at, len(text))


class _Parser:
    def __init__(self, text: str, tokens: list[Token]):
        self._text, self._tokens = text, tokens
        self._at = self._depth = 0

    def parsed(self) -> Test:
        test = self._alternatives()
        if token := self._next:
            raise self._error(translatable("core", "Nothing opens this parenthesis."), token)
        return test

    @property
    def _next(self) -> Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _takes(self, kind: str) -> bool:
        is_next = self._next is not None and self._next.kind == kind
        self._at += is_next
        return is_next

    def _alternatives(self) -> Test:
        tests = [self._all()]
        while self._takes("or"):
            tests.append(self._all())
        return tests[0] if len(tests) == 1 else Any(tuple(tests))

    def _all(self) -> Test:
        tests = [self._one()]
        while self._takes("and") or (self._next and self._next.kind not in ("or", ")")):
            tests.append(self._one())
        return tests[0] if len(tests) == 1 else All(tuple(tests))

    def _one(self) -> Test:
        token = self._next
        if token is None or token.kind in (")", "or", "and"):
            raise self._error(translatable("core", "A search term is missing here."), token)
        self._at += 1
        if token.term is not None:
            return test_of(token.term)
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self._error(translatable("core", "There are too many parentheses."), token)
        if token.kind == "(":
            test = self._alternatives()
            if not self._takes(")"):
                raise self._error(translatable("core", "Close this parenthesis."), token)
        else:
            test = Not(self._one())
        self._depth -= 1
        return test

    def _error(self, message: Message, token: Token | None) -> QueryError:
        end = len(self._text)
        start = max(end - 1, 0) if token is None else token.start
        return QueryError(message, start, end if token is None else token.end)
