"""The weights of a Llama decoder, and its pass through the layers, for prefill and decode alike."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from core.device.float8 import float8_product
from core.llava.cuda_graphs import to_device
from core.llava.float8 import Float8Rows, RawProduct, scaled
from core.llava.kernels.launch import load_kernels
from core.llava.kernels.shape import KernelShape
from core.llava.linear import DecoderLayer, Dequantizer, Matrix, layer_format
from core.llava.operations import TorchOperations
from core.llava.tokenizer import IMAGE_TOKEN_INDEX
from core.transcript import WeightFormat

Attend = Callable[[int, Tensor | RawProduct, Tensor], Tensor]
"""Attention of one layer: gets its number, its projected states (rows, heads × head_dim), which it
may have to scale, and its input (rows, hidden size); returns (rows, query heads × head_dim)."""


def decoder_of(model: Any) -> Any:
    """Returns the language model of one of transformers' vision-language models."""
    language = getattr(model.model, "language_model", None)
    return model.model.text_model if language is None else language


class LanguageModel:
    """A Llama decoder of transformers, whose weights are joined in place, one layer at a time.

    Mistral's is the same, and Qwen2's but for the biases of its queries, keys and values.

    `kernels` are our CUDA kernels for models of `kernel_shape`, or None; `operations` are these or
    torch's own, which do the same.
    """

    def __init__(self, model: Any, *, cache_bits: int = 16):
        config, language = model.config.get_text_config(), decoder_of(model)
        self.heads, self.key_heads = config.num_attention_heads, config.num_key_value_heads
        head_dim = getattr(config, "head_dim", None)
        self.head_dim = head_dim or config.hidden_size // config.num_attention_heads
        self.eps = config.rms_norm_eps
        self.embedding = language.embed_tokens.weight
        self.norm = language.norm.weight
        self.device, self.dtype = self.embedding.device, self.embedding.dtype
        self._rotary = language.rotary_emb
        group = self.heads // self.key_heads
        self.format = layer_format(language)
        self.kernel_shape = shape = KernelShape(
            dtype=self.dtype,
            bits=self.format.bits if self.format else 8 * self.dtype.itemsize,
            hidden=config.hidden_size,
            inner=config.intermediate_size,
            head_dim=self.head_dim,
            group=group,
            is_float8=self.format is WeightFormat.FP8,
            cache_bits=cache_bits,
            has_bias=language.layers[0].self_attn.q_proj.bias is not None,
        )
        self.kernels = load_kernels(shape, self.device)
        self.operations = self.kernels or TorchOperations(self.dtype, self.head_dim, group)
        has_float8 = self.kernels is not None and self.kernels.has_float8
        product = float8_product(self.device, self.dtype) if has_float8 else None
        self._dequantizer = dequantizer = Dequantizer(self.kernels, product)
        self.layers = [DecoderLayer.joined(layer, dequantizer) for layer in language.layers]
        self._lm_head = model.lm_head
        self.head = Matrix.joined([self._lm_head], dequantizer)

    @property
    def bits(self) -> int:
        """Bits of the decoder layers' weights, whose `format` is None if they are not quantized."""
        return self.layers[0].down.bits

    @cached_property
    def weight_bytes(self) -> int:
        """What a decode step reads: all layers and the output head."""
        return self.head.nbytes + sum(layer.nbytes for layer in self.layers)

    @cached_property
    def fits_fused_kernels(self) -> bool:
        """Whether every matrix has the precision that the kernels for one row are compiled for, and
        those of queries, keys and values alone have biases, if any has."""
        kind, has_bias = self.format, self.kernel_shape.has_bias
        return (
            all(matrix.format is kind for layer in self.layers for matrix in layer.matrices)
            and all(
                (matrix.bias is not None) is (has_bias and matrix is layer.query_key_value)
                for layer in self.layers
                for matrix in layer.matrices
            )
            and self.head.format is (WeightFormat.INT8 if kind else None)
            and self.head.bias is None
        )

    def is_last(self, layer: int) -> bool:
        """Whether `layer` is the number of the last layer."""
        return layer == len(self.layers) - 1

    def rotary_tables(self, length: int) -> tuple[Tensor, Tensor]:
        """Cosine and sine, (length, head_dim); the sine has the sign of rotate_half built in."""
        like = torch.empty(0, device=self.device, dtype=self.operations.table_dtype)
        cos, sin = self._rotary(like, torch.arange(length, device=self.device)[None])
        half = self.head_dim // 2
        return cos[0].contiguous(), torch.cat([-sin[0, :, :half], sin[0, :, half:]], -1)

    def embed(self, ids: Sequence[int], features: Tensor | None) -> Tensor:
        """Embeddings (rows, hidden size) of `ids`; ids of -200 are the rows of `features`."""
        numbers = to_device(torch.tensor(ids).clamp(min=0), self.device)
        hidden = functional.embedding(numbers, self.embedding)
        if features is not None:
            at = [number for number, one in enumerate(ids) if one == IMAGE_TOKEN_INDEX]
            if at[-1] - at[0] + 1 == len(at):
                hidden[at[0] : at[-1] + 1] = features
            else:
                hidden[to_device(torch.tensor(at), self.device)] = features
        return hidden

    def run_layers(self, hidden: Tensor, attend: Attend, last: Tensor | None = None) -> Tensor:
        """(rows, hidden size) through all layers and the final norm; `hidden` is overwritten.

        `attend` also writes the KV cache. With `last`, int64 indices, only these rows go through
        the rest of the last layer: there `attend` returns, and the result contains, no others.
        """
        delta: Tensor | RawProduct | None = None
        for number, layer in enumerate(self.layers):
            states = self._normalized(hidden, delta, layer.attention_norm)
            attention = attend(number, layer.query_key_value.raw(states), hidden)
            if last is not None and self.is_last(number):
                hidden = hidden.index_select(0, last)
            delta = layer.output.raw(self._attended(attention))
            states = self._normalized(hidden, delta, layer.mlp_norm)
            delta = layer.down.raw(self._gated(layer.gate_up.raw(states)))
        return self.operations.add_rms_norm(hidden, delta, self.norm, self.eps)

    # What goes into a layer's matrices: in FP8 where they are multiplied so.

    def _normalized(
        self, hidden: Tensor, delta: Tensor | RawProduct | None, gain: Tensor
    ) -> Tensor | Float8Rows:
        if self.takes_float8(len(hidden)):
            return self.operations.add_rms_norm_float8(hidden, delta, gain, self.eps)
        return self.operations.add_rms_norm(hidden, delta, gain, self.eps)

    def _attended(self, attention: Tensor) -> Tensor | Float8Rows:
        if self.takes_float8(len(attention)):
            return self.operations.round_to_float8(attention)
        return attention

    def _gated(self, gates: Tensor | RawProduct) -> Tensor | Float8Rows:
        if self.takes_float8(len(gates)):
            return self.operations.silu_and_mul_float8(gates)
        return self.operations.silu_and_mul(scaled(gates))

    @property
    def multiplies_float8(self) -> bool:
        """Whether the layers' matrices can be multiplied in FP8 here."""
        return self.format is not None and self._dequantizer.multiplies_float8

    def takes_float8(self, rows: int) -> bool:
        """Whether so many rows go through the layers' matrices in FP8."""
        return self.format is not None and self._dequantizer.prefers_float8(rows, self.format)

    def final_norm(self, hidden: Tensor) -> Tensor:
        """The final norm of any layer's input (rows, hidden size), for the output head."""
        return self.operations.add_rms_norm(hidden, None, self.norm, self.eps)

    def logits(self, states: Tensor) -> Tensor:
        """float32 (rows, vocabulary) of states after the final norm."""
        head = self.head if self.head.bits < 16 or self.head.is_wide else self._lm_head
        return head(states).float()
