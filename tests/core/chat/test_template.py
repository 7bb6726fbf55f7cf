import time
from datetime import datetime
from typing import Any

import jinja2
import pytest
from transformers.utils.chat_template_utils import _compile_jinja_template, render_jinja_template

from core.chat.messages import messages
from core.chat.template import ChatTemplate
from core.chat.template_child import compiled, render
from core.errors import CheckpointError
from core.transcript import Turn
from tests.support.tiers import slowly
from tests.support.tiny_chat import FAMILIES

TURNS = [Turn("What is this?", "A “dog”.\n"), Turn("<b>Why?</b>")]
TOKENS: dict[str, Any] = {"bos_token": "<s>", "eos_token": "</s>"}
# What published templates use.
PARTS = [
    "{{ bos_token }}{{ messages | tojson }}{{ messages | tojson(indent=2) }}",
    "{% set ns = namespace(n=0) %}{% for m in messages %}{% set ns.n = ns.n + 1 %}{% endfor %}"
    "{{ ns.n }}",
    "{% for m in messages %}{% if loop.index0 > 1 %}{% break %}{% endif %}{{ m.role }}{% endfor %}",
    "{% generation %}{{ messages[0].content[1].text }}{% endgeneration %}",
    "{{ dict(a=1).items() | list }}{{ dict.fromkeys('ab') }}",
    "{{ strftime_now('%Y') }}{% if tools is none and documents is none %}none{% endif %}",
    "{% macro m(x) %}[{{ x | trim | upper }}]{% endmacro %}{{ m(' a ') }}\n"
    "  {% if true %}\n b{% endif %}",
    "{% if add_generation_prompt %}assistant:{% endif %}{{ eos_token }}",
]


@pytest.fixture
def template():
    made = []

    def make(text: str) -> ChatTemplate:
        made.append(ChatTemplate(text, TOKENS))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.mark.parametrize("text", [*PARTS, *(FAMILIES[name][3] for name in FAMILIES)])
def test_prompt_is_the_one_that_transformers_makes(text):
    said = messages(TURNS, pictures=2)
    theirs, _ = render_jinja_template(
        [said], chat_template=text, add_generation_prompt=True, **TOKENS
    )
    assert render(text, said, TOKENS) == theirs[0]


def test_templates_have_all_that_transformers_gives_them():
    """Fails when a new version of transformers adds something."""
    ours, theirs = compiled("").environment, _compile_jinja_template("").environment
    for kind in ("filters", "globals", "tests"):
        assert getattr(ours, kind).keys() == getattr(theirs, kind).keys()
    assert len(ours.extensions) == len(theirs.extensions)
    for name in ("trim_blocks", "lstrip_blocks", "keep_trailing_newline", "autoescape"):
        assert getattr(ours, name) == getattr(theirs, name)


@pytest.mark.parametrize(
    "text",
    [
        "{{ namespace(__class__=1) }}",
        "{{ messages.append(1) }}",
        "{{ raise_exception('no') }}",
    ],
)
def test_what_transformers_forbids_is_forbidden(text):
    said = messages(TURNS, pictures=1)
    with pytest.raises(jinja2.TemplateError):
        render(text, said, TOKENS)


def test_conversation_is_rendered_in_another_process(template):
    rendered = template("{{ messages[0].content[1].text }} {{ strftime_now('%Y') }}")
    assert rendered.render(messages(TURNS, 1)) == f"What is this? {datetime.now().year}"


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        # jinja2 computes what is constant when it compiles, for any conversation.
        slowly(
            "{{ (messages | length) ** (10 ** 9) }}",
            "it computes for more than 4 s|it took more than 12 s",
        ),
        ("{{ 'a'.ljust(10 ** 11) }}", "it takes too much memory"),
        ("{{ 'a' * 9000000 }}", "it makes 9,000,000 letters of it"),
        ("{{ 1 / 0 }}", "division by zero"),
    ],
)
def test_template_that_does_harm_is_a_sentence_and_the_next_conversation_is_rendered(
    template, text, cause
):
    rendered = template(f"{{% if messages | length > 2 %}}{text}{{% else %}}fine{{% endif %}}")
    begin = time.monotonic()
    with pytest.raises(CheckpointError, match=f"does not take this conversation \\(({cause})"):
        rendered.render(messages(TURNS, 1))
    assert time.monotonic() - begin < 30
    assert rendered.render(messages(TURNS[:1], 1)) == "fine"


@pytest.mark.parametrize("text", ["{{ messages[0].role }}", "{{ 10 ** (10 ** 9) }}"])
def test_template_waits_for_a_process_of_its_own(template, monkeypatch, text):
    with monkeypatch.context() as patch:
        patch.setattr("sys.executable", "/nowhere/python")
        rendered = template(text)
        with pytest.raises(CheckpointError, match="Close other programs, then ask again"):
            rendered.render(messages(TURNS, 1))
    if "**" not in text:
        assert rendered.render(messages(TURNS, 1)) == "user"
