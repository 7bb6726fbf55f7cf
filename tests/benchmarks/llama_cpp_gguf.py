# pyright: reportMissingImports=false
"""GGUF files of a Llama's sizes with random weights, for measuring llama.cpp without a checkpoint.

    python -m tests.benchmarks.llama_cpp_gguf FILE [--sizes llama-3.1-8b] [--kind Q4_K_M]

Speed does not depend on what the weights are, as long as they are numbers and not all alike (a card
takes less power for zeros).
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import gguf
import numpy as np

Array = np.ndarray
Kind: TypeAlias = gguf.GGMLQuantizationType
KINDS = {"F16": Kind.F16, "Q8_0": Kind.Q8_0, "Q4_0": Kind.Q4_0, "Q4_K_M": Kind.Q4_K}
# Blocks are made once and repeated.
_WEIGHTS = 1 << 23


@dataclass(frozen=True)
class Sizes:
    """Sizes of a Llama; `heads_kv` are the heads of keys and values."""

    hidden: int
    inner: int
    layers: int
    heads: int
    heads_kv: int
    vocabulary: int
    context: int
    rope_base: float = 10000.0

    @property
    def head(self) -> int:
        """The size of a head."""
        return self.hidden // self.heads


SIZES = {
    # The language models of LLaVA-1.5-7b and of JoyCaption.
    "vicuna-7b": Sizes(4096, 11008, 32, 32, 32, 32000, 4096),
    "llama-3.1-8b": Sizes(4096, 14336, 32, 32, 8, 128256, 131072, 500000.0),
    "tiny": Sizes(512, 768, 4, 4, 2, 512, 2048),
}


def write_random(path: Path, sizes: Sizes, kind_name: str) -> None:
    """Writes a model. `kind_name` is one of KINDS."""
    writer = gguf.GGUFWriter(path, "llama")
    _add_facts(writer, sizes)
    tensors = list(_tensors(sizes, KINDS[kind_name], mixed=kind_name == "Q4_K_M"))
    for name, shape, kind in tensors:
        writer.add_tensor_info(name, shape, np.dtype(np.float32), _bytes(shape, kind), kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_ti_data_to_file()
    pools: dict[Kind, Array] = {}
    for _, shape, kind in tensors:
        if len(shape) == 1:
            writer.write_tensor_data(np.ones(shape, np.float32))
            continue
        if kind not in pools:
            pools[kind] = _BLOCKS[kind](np.random.default_rng(0))
        writer.write_tensor_data(np.resize(pools[kind].view(np.uint8), _bytes(shape, kind)))
    writer.close()


def _add_facts(writer: gguf.GGUFWriter, sizes: Sizes) -> None:
    writer.add_name("Random weights")
    writer.add_context_length(sizes.context)
    writer.add_embedding_length(sizes.hidden)
    writer.add_block_count(sizes.layers)
    writer.add_feed_forward_length(sizes.inner)
    writer.add_head_count(sizes.heads)
    writer.add_head_count_kv(sizes.heads_kv)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(sizes.head)
    writer.add_rope_freq_base(sizes.rope_base)
    writer.add_vocab_size(sizes.vocabulary)
    types = gguf.TokenType
    special = [b"<unk>", b"<s>", b"</s>"]
    raw = [f"<0x{byte:02X}>".encode() for byte in range(256)]
    others = [f"w{number}".encode() for number in range(sizes.vocabulary - len(special + raw))]
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([*special, *raw, *others])
    writer.add_token_scores([0.0] * sizes.vocabulary)
    kinds = [types.UNKNOWN, types.CONTROL, types.CONTROL]
    writer.add_token_types([*kinds, *[types.BYTE] * len(raw), *[types.NORMAL] * len(others)])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)


def _tensors(
    sizes: Sizes, kind: Kind, *, mixed: bool
) -> Iterator[tuple[str, tuple[int, ...], Kind]]:
    """Yields name, shape and kind of each tensor; `mixed` as llama.cpp mixes Q4_K_M."""
    hidden, inner, narrow = sizes.hidden, sizes.inner, sizes.heads_kv * sizes.head
    yield "token_embd.weight", (sizes.vocabulary, hidden), kind
    for layer in range(sizes.layers):
        eighth = sizes.layers // 8
        is_finer = layer < eighth or layer >= sizes.layers - eighth or (layer - eighth) % 3 == 2
        fine = Kind.Q6_K if mixed and is_finer else kind
        for name, shape, one in (
            ("attn_norm", (hidden,), Kind.F32),
            ("attn_q", (hidden, hidden), kind),
            ("attn_k", (narrow, hidden), kind),
            ("attn_v", (narrow, hidden), fine),
            ("attn_output", (hidden, hidden), kind),
            ("ffn_norm", (hidden,), Kind.F32),
            ("ffn_gate", (inner, hidden), kind),
            ("ffn_up", (inner, hidden), kind),
            ("ffn_down", (hidden, inner), fine),
        ):
            yield f"blk.{layer}.{name}.weight", shape, one
    yield "output_norm.weight", (hidden,), Kind.F32
    yield "output.weight", (sizes.vocabulary, hidden), Kind.Q6_K if mixed else kind


def _bytes(shape: tuple[int, ...], kind: Kind) -> int:
    weights, size = gguf.GGML_QUANT_SIZES[kind]
    return int(np.prod(shape)) // weights * size


def _f16(random: np.random.Generator) -> Array:
    return (0.02 * random.standard_normal(_WEIGHTS, np.float32)).astype(np.float16)


def _quantised(kind: Kind, scales: dict[int, float]) -> Callable[[np.random.Generator], Array]:
    """Random bytes, with a 16-bit scale at each of these places of a block."""

    def blocks(random: np.random.Generator) -> Array:
        weights, size = gguf.GGML_QUANT_SIZES[kind]
        made = random.integers(0, 256, (_WEIGHTS // weights, size), np.uint8)
        for place, scale in scales.items():
            drawn = random.uniform(0.5 * scale, scale, len(made)).astype(np.float16)
            made[:, place : place + 2] = drawn.view(np.uint8).reshape(-1, 2)
        return made

    return blocks


# What makes weights of some 0.02.
_BLOCKS = {
    Kind.F16: _f16,
    Kind.Q8_0: _quantised(Kind.Q8_0, {0: 3e-4}),
    Kind.Q4_0: _quantised(Kind.Q4_0, {0: 5e-3}),
    Kind.Q4_K: _quantised(Kind.Q4_K, {0: 1e-4, 2: 7e-4}),
    Kind.Q6_K: _quantised(Kind.Q6_K, {208: 2e-5}),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--sizes", choices=SIZES, default="vicuna-7b")
    parser.add_argument("--kind", choices=KINDS, default="F16")
    options = parser.parse_args()
    write_random(options.file, SIZES[options.sizes], options.kind)


if __name__ == "__main__":
    main()
