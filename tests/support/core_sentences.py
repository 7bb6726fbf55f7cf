"""Finds the sentences of core's source, and whether a translator would get them.

A sentence is `translatable("core", "…")` with two literals, and its fields go in by name.
"""

import ast
import re
import string
from collections.abc import Iterator

MARK = "translatable"
SQL = re.compile(
    r"\b(SELECT|INTO|FROM|WHERE|PRAGMA|UPDATE|ORDER BY|TABLE|INDEX|BEGIN|VALUES|typeof|json_\w+)\b"
)


def called(call: ast.Call) -> str:
    """The last name of what is called."""
    function = call.func
    name = function.attr if isinstance(function, ast.Attribute) else ""
    return function.id if isinstance(function, ast.Name) else name


def calls(tree: ast.AST, *names: str) -> list[ast.Call]:
    found = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
    return [call for call in found if called(call) in names]


def templates(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and text of every marked sentence."""
    for call in calls(tree, MARK):
        text = call.args[1]
        assert isinstance(text, ast.Constant)
        yield call.lineno, str(text.value)


def fields(template: str) -> list[str]:
    return [name for _, name, _, _ in string.Formatter().parse(template) if name is not None]


def is_sentence(text: str) -> bool:
    """Whether a string of core looks like something to read: two words, or a sentence's end."""
    if SQL.search(text):
        return False
    text = re.sub(r"<[^<>]*>?|:\w+ \S+>", "", text)  # Markup.
    return bool(re.search(r"[A-Za-z]{2} [a-z]{2}| [a-z]{2,}\.( |$)", text))


def faults(tree: ast.AST) -> Iterator[str]:
    """What is wrong with the marked sentences: no literal, a field without a name, a wrong one."""
    filled: set[ast.Call] = set()
    for call in calls(tree, "format"):
        marked = call.func.value if isinstance(call.func, ast.Attribute) else None
        if not (isinstance(marked, ast.Call) and called(marked) == MARK):
            continue
        filled.add(marked)
        given = {keyword.arg for keyword in call.keywords}
        if call.args or (None not in given and given != set(fields(_text(marked)))):
            yield f"line {call.lineno}: fields of “{_text(marked)}”"
    for call in calls(tree, MARK):
        is_literal = all(isinstance(one, ast.Constant) for one in call.args)
        if not is_literal or len(call.args) != 2 or call.keywords or _text(call, 0) != "core":
            yield f"line {call.lineno}: not two literals"
        elif any(not name.isidentifier() for name in fields(_text(call))):
            yield f"line {call.lineno}: a field without a name in “{_text(call)}”"


def raised_unmarked(tree: ast.AST, errors: set[str]) -> Iterator[str]:
    """Errors for the person that are made of a text put together, or one that nobody marked."""
    for call in calls(tree, *errors):
        made = call.args[0] if call.args else None
        if isinstance(made, ast.Constant | ast.JoinedStr | ast.BinOp):
            yield f"line {call.lineno}: {ast.unparse(made)}"


def _text(call: ast.Call, index: int = 1) -> str:
    argument = call.args[index] if len(call.args) > index else None
    return str(argument.value) if isinstance(argument, ast.Constant) else ""
