"""CLIP's tokens are those of its own tokenizer."""

import random

import pytest

from core.clip_tokens import CLIP_CONTEXT, clip_ids, count_clip_tokens

TEXTS = (
    "1girl, solo, long_hair, :3, (masterpiece:1.2), <lora:foo:0.8>",
    "Hello WORLD! it's 1987, they’re “quoted” — naïve café e\u0301",
    "日本語のテキスト &amp;amp; &lt;b&gt; ﬁne ｆｕｌｌ\u3000width 👍🏽 мама",
    "tab\tand\nline\r\n\u00a0 STRASSE ß İstanbul ctl\x07\ufeff",
    "",
    "x" * 300,
)
LETTERS = "abcdefghij ABC 0123,.'’-_()éüñ日本😀\n\t&;:#—ΑΣςабвİ"


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        # From OpenAI's own notebooks and tests.
        ("hello world!", [3306, 1002, 256]),
        ("a diagram", [320, 22697]),
        ("a photo of a cat", [320, 1125, 539, 320, 2368]),
        ("  A  Photo\nof a cat ", [320, 1125, 539, 320, 2368]),
    ],
)
def test_ids_are_those_that_clip_was_trained_with(text, ids):
    assert clip_ids(text) == ids
    assert count_clip_tokens(text) == len(ids) + 2


def test_what_clip_reads_includes_beginning_and_end():
    assert count_clip_tokens("cat " * (CLIP_CONTEXT - 2)) == CLIP_CONTEXT


def test_half_a_character_is_counted_as_one_that_is_unknown():
    assert count_clip_tokens("a \ud83d cat") == count_clip_tokens("a ? cat")


def test_ids_are_those_of_open_clip():
    tokenizer = pytest.importorskip("open_clip.tokenizer").SimpleTokenizer()
    chance = random.Random(18)
    odd = ["".join(chance.choices(LETTERS, k=chance.randrange(1, 60))) for _ in range(500)]
    for text in (*TEXTS, *odd):
        assert clip_ids(text) == tokenizer.encode(text), text
