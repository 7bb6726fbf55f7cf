import json
import random
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from transformers import TextIteratorStreamer

from core.errors import CheckpointError, PromptError
from core.llava.prompt import (
    STOP_STRING,
    SYSTEM,
    conversation,
    conversation_prompt,
    input_ids,
    prepare,
)
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Mark, Tokenizer, text_of_pieces
from core.picture.pixel_values import PAD_COLOUR, pixel_values
from core.transcript import Turn
from tests.support.tiny_llava import write_fast_tokenizer, write_tokenizer

GOLDEN = Path(__file__).parents[4] / "shared" / "golden"
TEXT = (
    "The image features a man with a skateboard and a dog, either walking down the street "
    "together or crossing the street while holding hands with the dog on a leash. The man "
    "appears to be skateboarding with the dog close by, creating a fun and friendly "
    "atmosphere. \n\nThere are a few"
)
golden_only = pytest.mark.skipif(not GOLDEN.is_dir(), reason="../shared/golden is not here")


@pytest.fixture(scope="module")
def trace():
    return json.loads((GOLDEN / "llava_v1_5_trace.json").read_text())


@pytest.fixture(params=[None, True, False], ids=["absent", "legacy", "not-legacy"])
def llama(request, tmp_path):
    """Llama's own tokenizer in each of its modes."""
    shutil.copy(GOLDEN / "llama_tokenizer.model", tmp_path / "tokenizer.model")
    if request.param is not None:
        (tmp_path / "tokenizer_config.json").write_text(json.dumps({"legacy": request.param}))
    return Tokenizer.load(tmp_path), request.param


@pytest.fixture(scope="module", params=["model", "json"])
def tokenizer(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    {"model": write_tokenizer, "json": write_fast_tokenizer}[request.param](folder)
    return Tokenizer.load(folder)


def streamed(tokenizer, ids):
    streamer = TextIteratorStreamer(tokenizer)
    for number in ids:
        streamer.put(np.array([number]))
    streamer.end()
    return "".join(streamer)


# ---- the golden trace


@golden_only
def test_golden_trace_comes_out_exactly(llama, trace):
    tokenizer, _ = llama
    picture = Image.new("RGB", tuple(trace["image_size"]), "teal")
    inputs = prepare(
        [Turn(trace["question"])],
        pixel_values(picture),
        tokenizer,
        max_new_tokens=trace["max_new_tokens"],
    )
    assert inputs.prompt == trace["prompt"]
    assert list(inputs.input_ids) == trace["input_ids"]
    assert len(inputs.input_ids) == 50
    assert inputs.input_ids.count(IMAGE_TOKEN_INDEX) == 1
    assert inputs.image_tokens == 576
    assert inputs.length == 625
    assert list(inputs.pixel_values.shape) == trace["images_tensor_shape"]
    assert list(PAD_COLOUR) == trace["pad_background_rgb"]
    assert trace["conversation"]["stop_str"] == STOP_STRING
    assert trace["conversation"]["system"] == SYSTEM
    assert inputs.max_new_tokens == 64


@golden_only
def test_golden_output_ids_decode_alike_whole_and_streamed(llama, trace):
    tokenizer, _ = llama
    ids = trace["output_ids_generated"]
    assert len(ids) == 64
    assert tokenizer.decode(ids) == TEXT
    assert tokenizer.decode([1, *ids, 2]) == TEXT
    assert streamed(tokenizer, ids) == TEXT


@golden_only
def test_golden_prompt_read_as_a_string_gives_the_same_ids(llama, trace):
    assert input_ids(trace["prompt"], llama[0]) == trace["input_ids"]


@golden_only
def test_second_turn_follows_the_tokenizers_legacy_flag(llama):
    tokenizer, legacy = llama
    after_end = [3308, 1001, 29901] if legacy is False else [3148, 1001, 29901]
    assert tokenizer.encode("</s>USER:") == [1, 2, *after_end]
    turns = [Turn("What is this?", "It is a cat."), Turn("What colour is it?")]
    ids = input_ids(conversation(turns), tokenizer)
    assert ids[ids.index(2) :][:4] == [2, *after_end]


@golden_only
def test_blanks_are_tokenised_as_by_sentencepiece(llama):
    tokenizer, _ = llama
    assert tokenizer.encode("this?  ASSISTANT")[3:6] == [29871, 319, 1799]
    after_image = input_ids("<image> ASSISTANT", tokenizer)
    assert after_image[:4] == [1, IMAGE_TOKEN_INDEX, 29871, 319]


# ---- the prompt


def test_several_turns_are_separated_as_in_conversation_v1():
    turns = [Turn("What is this?", "It is a cat."), Turn("What colour is it?")]
    assert conversation_prompt(turns) == (
        f"{SYSTEM} USER: <image>\nWhat is this? ASSISTANT: It is a cat.</s>"
        "USER: What colour is it? ASSISTANT:"
    )


def test_empty_question_leaves_only_its_role_behind():
    turns = [Turn("", "A cat."), Turn("")]
    assert conversation_prompt(turns, system=None) == (
        "USER: <image>\n ASSISTANT: A cat.</s>USER:ASSISTANT:"
    )


def test_ends_of_answers_never_pile_up():
    turns = [Turn("What?", "A cat.</s>"), Turn("Sure?")]
    assert conversation_prompt(turns).count(STOP_STRING) == 1


@pytest.mark.parametrize("typed", ["<image>", "</s>", "<s>", "<unk>", "<pad>"])
def test_typed_mark_is_text(tokenizer, typed):
    turns = [Turn(f"What does {typed} mean?")]
    ids = input_ids(conversation(turns), tokenizer)
    assert ids.count(IMAGE_TOKEN_INDEX) == 1
    assert ids.count(tokenizer.bos_token_id) == 1
    assert tokenizer.eos_token_id not in ids
    assert tokenizer.unk_token_id not in ids
    assert max(ids) < tokenizer.size
    after_image = ids[ids.index(IMAGE_TOKEN_INDEX) + 1 :]
    assert tokenizer.decode(after_image) == f"\nWhat does {typed} mean? ASSISTANT:"


def test_typed_mark_looks_in_the_prompt_as_it_was_typed():
    assert "USER: <image>\nIs <image> a tag? ASSISTANT:" in conversation_prompt(
        [Turn("Is <image> a tag?")]
    )


def test_marks_in_a_plain_string_are_marks(tokenizer):
    ids = tokenizer.encode("a</s>b<unk>")
    assert ids[0] == tokenizer.bos_token_id
    assert tokenizer.eos_token_id in ids
    assert ids[-1] == tokenizer.unk_token_id
    assert tokenizer.encode_parts(["a", Mark.END]) == tokenizer.encode("a</s>")[1:]


def test_half_a_surrogate_pair_can_be_asked(tokenizer):
    assert tokenizer.decode(tokenizer.encode("a\ud800b")) == "a?b"


# ---- decoding


def test_text_of_any_ids_only_grows_while_they_come(tokenizer):
    draw = random.Random(7)
    for _ in range(200):
        ids = [draw.randrange(tokenizer.size) for _ in range(16)]
        whole = tokenizer.decode(ids)
        for count in range(len(ids)):
            assert whole.startswith(tokenizer.decode(ids[:count]).rstrip("\ufffd"))


def test_character_of_several_bytes_is_streamed_whole(tokenizer):
    ids = tokenizer.encode("a dog 🐕 is in it, 東京 too")
    streamer = TextIteratorStreamer(tokenizer)
    for number in ids:
        streamer.put(np.array([number]))
    streamer.end()
    pieces = list(streamer)
    assert "".join(pieces) == "a dog 🐕 is in it, 東京 too"
    assert not any("\ufffd" in piece for piece in pieces)


def test_decoding_leaves_out_special_tokens_and_foreign_ids(tokenizer):
    ids = tokenizer.encode("a red circle")
    framed = [*ids, tokenizer.eos_token_id, tokenizer.unk_token_id, tokenizer.size, -200]
    assert tokenizer.decode(np.array(framed)) == "a red circle"


def test_both_kinds_of_tokenizer_files_decode_alike(tmp_path):
    write_tokenizer(tmp_path)
    slow = Tokenizer.load(tmp_path)
    pieces = slow._vocabulary._pieces  # type: ignore[attr-defined]
    draw = random.Random(3)
    for _ in range(300):
        ids = [draw.randrange(3, slow.size) for _ in range(12)]
        assert text_of_pieces(pieces.id_to_piece(ids)) == slow.decode(ids)


def test_folder_without_tokenizer_is_named_with_what_to_do(tmp_path):
    with pytest.raises(CheckpointError, match=r"has no tokenizer. Put the model's"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("name", ["tokenizer.model", "tokenizer.json"])
def test_broken_tokenizer_is_an_error_with_what_to_do(tmp_path, name):
    (tmp_path / name).write_bytes(b"\xff\x00 not a tokenizer")
    with pytest.raises(CheckpointError, match="cannot be read"):
        Tokenizer.load(tmp_path)


# ---- pixels


def reference_pixels(picture, size=336):
    """The recipe as it is written down: the whole square, one resize."""
    side = max(picture.size)
    square = Image.new("RGB", (side, side), (122, 116, 104))
    square.paste(picture, ((side - picture.width) // 2, (side - picture.height) // 2))
    square = square.resize((size, size), Image.Resampling.BICUBIC)
    scaled = (np.asarray(square) * (1 / 255)).astype(np.float32)
    mean = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)
    std = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
    return ((scaled - mean) / std).transpose(2, 0, 1)[None]


@pytest.mark.parametrize(
    "size", [(500, 334), (334, 500), (336, 336), (1, 1), (3, 3), (3, 1500), (1500, 3), (700, 1201)]
)
def test_pixels_are_bit_equal_to_the_originals(size):
    picture = Image.frombytes("RGB", size, random.Random(1).randbytes(size[0] * size[1] * 3))
    values = pixel_values(picture)
    assert values.dtype == np.float32
    assert values.shape == (1, 3, 336, 336)
    assert np.array_equal(values, reference_pixels(picture))
    assert np.array_equal(pixel_values(picture, threads=1), values)


def test_padding_is_the_original_colour():
    values = pixel_values(Image.new("RGB", (400, 100), "white"))
    assert np.allclose(values[0, :, 0, 0], [-0.0113, -0.0112, -0.0013], atol=1e-4)


# ---- context


def asked(tokenizer, turns, context_length, prompt_length=None):
    return prepare(
        turns,
        pixel_values(Image.new("RGB", (8, 8)), 28),
        tokenizer,
        max_new_tokens=40,
        context_length=context_length,
        prompt_length=prompt_length,
    )


def test_oldest_pairs_after_the_first_are_left_out_when_turns_no_longer_fit(tokenizer):
    turns = [Turn(f"Question {n}?", f"Answer {n} is a red circle.") for n in range(8)]
    turns.append(Turn("And now?"))
    length = asked(tokenizer, turns, 100_000).length
    inputs = asked(tokenizer, turns, length)
    assert 0 < inputs.left_out < 8
    assert "Question 0?" in inputs.prompt
    assert f"Question {inputs.left_out}?" not in inputs.prompt
    assert f"Question {inputs.left_out + 1}?" in inputs.prompt
    assert inputs.prompt.endswith("And now? ASSISTANT:")
    assert inputs.length + inputs.max_new_tokens <= length


def test_long_first_pair_gives_way_to_the_question(tokenizer):
    turns = [Turn("What?", "a red circle " * 200), Turn("And now?")]
    inputs = asked(tokenizer, turns, 300)
    assert inputs.left_out == 1
    assert "<image>\nAnd now? ASSISTANT:" in inputs.prompt


def test_answer_is_no_longer_than_what_is_left_of_the_context(tokenizer):
    length = asked(tokenizer, [Turn("What?")], 100_000).length
    # The placeholder itself is counted too, as the original's model worker does.
    assert asked(tokenizer, [Turn("What?")], length + 6).max_new_tokens == 5


def test_prompt_is_no_longer_than_what_the_checkpoint_reads(tokenizer):
    turns = [Turn("What?", "a red circle"), Turn("Why?", "a dog"), Turn("And now?")]
    length = asked(tokenizer, turns, 100_000).length
    assert asked(tokenizer, turns, 100_000, prompt_length=length).left_out == 0
    assert asked(tokenizer, turns, 100_000, prompt_length=length - 1).left_out == 1


def test_question_that_cannot_fit_alone_is_an_error_with_what_to_do(tokenizer):
    with pytest.raises(PromptError, match="Shorten it"):
        asked(tokenizer, [Turn("What? " * 400)], 200)


def test_text_that_is_much_too_long_is_not_tokenized(tokenizer):
    """Which would take minutes, for all clients of a server."""
    with pytest.raises(PromptError, match="Shorten it"):
        asked(Untouched(), [Turn("What? " * 2_000_000)], 200)
    turns = [Turn("What? " * 2_000_000, "Nothing."), Turn("And now?")]
    assert asked(tokenizer, turns, 300).left_out == 1


class Untouched:
    """A tokenizer that must not be used."""

    bos_token_id = 1

    def encode_parts(self, parts):
        raise AssertionError("tokenized")


def test_nothing_asked_is_an_error(tokenizer):
    with pytest.raises(PromptError):
        asked(tokenizer, [], 200)
