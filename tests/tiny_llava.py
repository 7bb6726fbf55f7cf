"""A real LLaVA-1.5 in toy sizes, written to disk as the real ones are."""

from __future__ import annotations

import io
import json
from pathlib import Path

import sentencepiece
from tokenizers import AddedToken, decoders, normalizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE

SENTENCES = (
    "A chat between a curious human and an artificial intelligence assistant.",
    "The assistant gives helpful, detailed, and polite answers to the human's questions.",
    "USER: What is this? ASSISTANT: It is a red circle on a plain white background.",
    "Please describe this image in detail. Write a short caption. How many things are there?",
    "A green square stands left of a small blue star, and a yellow dog sits at the bottom.",
)


def write_tokenizer(folder: Path, *, legacy: bool | None = None, vocabulary: int = 420) -> None:
    """A small `tokenizer.model` with Llama's own settings; `legacy` None leaves the flag out."""
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.Train(
        sentence_iterator=iter(SENTENCES * 20),
        model_writer=model,
        model_type="bpe",
        vocab_size=vocabulary,
        byte_fallback=True,
        split_digits=True,
        allow_whitespace_only_pieces=True,
        remove_extra_whitespaces=False,
        normalization_rule_name="identity",
        add_dummy_prefix=True,
        num_threads=1,
        minloglevel=2,
    )
    (folder / "tokenizer.model").write_bytes(model.getvalue())
    settings = {"tokenizer_class": "LlamaTokenizer"}
    if legacy is not None:
        settings["legacy"] = legacy  # type: ignore[assignment]
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


def write_fast_tokenizer(folder: Path) -> None:
    """A small `tokenizer.json` in the manner of llava-hf's, `<image>` and `<pad>` at its end."""
    tokenizer = FastTokenizer(BPE(byte_fallback=True, fuse_unk=True, unk_token="<unk>"))
    pieces = ["<unk>", "<s>", "</s>", *(f"<0x{byte:02X}>" for byte in range(256))]
    letters = sorted({letter for text in SENTENCES for letter in text.replace(" ", "▁")})
    merges = [("▁", "a"), ("▁", "t"), ("h", "e"), ("▁t", "he"), ("i", "n"), ("▁", "i")]
    pieces += letters + ["".join(pair) for pair in merges]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer.model = BPE(vocabulary, merges, byte_fallback=True, fuse_unk=True, unk_token="<unk>")
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(text, normalized=False) for text in ("<unk>", "<s>", "</s>")]
    )
    tokenizer.add_special_tokens([AddedToken("<image>", normalized=False), "<pad>"])
    tokenizer.save(str(folder / "tokenizer.json"))
