# pyright: reportMissingImports=false
"""Exports a LLaVA-1.5 for llama.cpp: two GGUF files, which LM Studio and Ollama read too.

    pip install gguf
    python packaging/export_llama_cpp.py MODEL OUT                16-bit
    python packaging/export_llama_cpp.py MODEL OUT --type f32     exact, for comparisons

MODEL is a folder, or `built-in`; LoRAs are merged. OUT gets `text.gguf`, the language model with
its tokenizer and conversation template, and `mmproj.gguf`, the vision tower and the projector:

    llama-server --model OUT/text.gguf --mmproj OUT/mmproj.gguf --jinja --host 127.0.0.1

llama.cpp's words differ from ours. It puts the class token last instead of first and then leaves
out the first row, so that the language model sees patches 2 to 576 and the class token; 4 of 8
captions of the built-in model are the same.
"""

from __future__ import annotations

import argparse
import struct
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from core.checkpoint.folder import Checkpoint, find_folder, read_checkpoint  # noqa: E402
from core.checkpoint.llava_model import empty_model, weight_sources  # noqa: E402
from core.checkpoint.loading import load_weights  # noqa: E402
from core.checkpoint.lora import merge  # noqa: E402
from core.checkpoint.weights import find_weights  # noqa: E402
from core.llava.prompt import SYSTEM  # noqa: E402
from core.llava.tokenizer import Tokenizer  # noqa: E402

# llama.cpp adds no blank in front of a text (`add_space_prefix` is off), since it would add one
# behind each image and role too. A turn with an image comes as one text: the image's marker, which
# ends in “__>”, and the prompt.
TEMPLATE = (
    "{%- for message in messages -%}"
    "{%- if loop.first and message['role'] != 'system' -%}{{ ' "
    + SYSTEM.replace("'", "\\'")
    + " ' }}{%- endif -%}"
    "{%- if message['content'] is string -%}{%- set text = message['content'] -%}"
    "{%- else -%}{%- set text = message['content'][0]['text'] -%}{%- endif -%}"
    "{%- if message['role'] == 'system' -%}{{ ' ' + text + ' ' }}"
    "{%- elif message['role'] == 'user' -%}"
    "{%- if not loop.first and messages[loop.index0 - 1]['role'] == 'assistant' -%}"
    "{{ ' ' }}{%- endif -%}{{ 'USER: ' + text.replace('__>', '__> \\n') + ' ' }}"
    "{%- elif message['role'] == 'assistant' -%}{{ 'ASSISTANT: ' + text + '</s>' }}"
    "{%- endif -%}{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{ 'ASSISTANT:' }}{%- endif -%}"
)
# From our names, which are transformers', to llama.cpp's.
TEXT_NAMES = {
    "language_model.embed_tokens": "token_embd",
    "language_model.norm": "output_norm",
    "lm_head": "output",
}
LAYER_NAMES = {
    "input_layernorm": "attn_norm",
    "post_attention_layernorm": "ffn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
VISION_NAMES = {
    "vision_tower.embeddings.patch_embedding": "v.patch_embd",
    "vision_tower.embeddings.position_embedding": "v.position_embd",
    "vision_tower.pre_layrnorm": "v.pre_ln",
    "multi_modal_projector.linear_1": "mm.0",
    "multi_modal_projector.linear_2": "mm.2",
}
VISION_LAYER_NAMES = {
    "layer_norm1": "ln1",
    "layer_norm2": "ln2",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.out_proj": "attn_out",
    "mlp.fc1": "ffn_up",
    "mlp.fc2": "ffn_down",
}
_CLASS_TOKEN = "vision_tower.embeddings.class_embedding"


@dataclass(frozen=True)
class Loaded:
    """A model's settings, and its tensors in 32 bits by transformers' names."""

    folder: Path
    checkpoint: Checkpoint
    tensors: Mapping[str, torch.Tensor]


def main(arguments: list[str] | None = None) -> int:
    """Writes both files; returns the exit status."""
    parser = argparse.ArgumentParser(description="Export a LLaVA-1.5 for llama.cpp.")
    parser.add_argument("model", help="a folder, a model of the hub that is here, or built-in")
    parser.add_argument("folder", metavar="OUT", type=Path)
    parser.add_argument("--type", choices=("f16", "f32"), default="f16", dest="kind")
    options = parser.parse_args(arguments)
    loaded = load(options.model)
    options.folder.mkdir(parents=True, exist_ok=True)
    matrix = np.float16 if options.kind == "f16" else np.float32
    write_text(loaded, options.folder / "text.gguf", matrix)
    write_vision(loaded, options.folder / "mmproj.gguf", matrix)
    print(f"Wrote text.gguf and mmproj.gguf in {options.folder}.")
    return 0


def load(model: str) -> Loaded:
    """Loads a model into memory. Raises CheckpointError; exits if llama.cpp has no such model."""
    checkpoint = read_checkpoint(find_folder(model))
    if checkpoint is None:
        sys.exit("This is not LLaVA-1.5; llama.cpp's own convert_hf_to_gguf.py may know it.")
    if checkpoint.feature_layer != -2:
        sys.exit("llama.cpp takes the features of the last layer but one; this model takes others.")
    if not (checkpoint.folder / "tokenizer.model").is_file():
        sys.exit("The model's folder has no tokenizer.model. Copy it there.")
    device = torch.device("cpu")
    whole = empty_model(checkpoint, Tokenizer.load(checkpoint.folder).size)
    locations = find_weights(whole, weight_sources(checkpoint))
    load_weights(whole, locations, device, torch.float32, lambda _: None, threading.Event())
    if checkpoint.adapter:
        merge(whole, checkpoint.adapter)
    tensors = {name.removeprefix("model."): value for name, value in whole.state_dict().items()}
    return Loaded(checkpoint.folder, checkpoint, tensors)


def write_text(loaded: Loaded, path: Path, matrix: Any) -> None:
    """Writes the language model with its tokenizer and template."""
    text = loaded.checkpoint.text
    heads, hidden = text["num_attention_heads"], text["hidden_size"]
    head_size = text.get("head_dim") or hidden // heads
    rope = text.get("rope_parameters") or {}
    if (rope.get("rope_type") or "default") != "default" or text.get("rope_scaling"):
        sys.exit("This model scales its positions, which this script does not export.")
    writer = gguf.GGUFWriter(path, "llama", use_temp_file=True)
    writer.add_name(loaded.folder.name)
    writer.add_context_length(text["max_position_embeddings"])
    writer.add_embedding_length(hidden)
    writer.add_block_count(text["num_hidden_layers"])
    writer.add_feed_forward_length(text["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(text["num_key_value_heads"] or heads)
    writer.add_key_length(head_size)
    writer.add_value_length(head_size)
    writer.add_layer_norm_rms_eps(text["rms_norm_eps"])
    writer.add_rope_dimension_count(head_size)
    writer.add_rope_freq_base(float(rope.get("rope_theta") or text.get("rope_theta") or 10000.0))
    add_tokenizer(writer, loaded.folder / "tokenizer.model")
    for name, tensor in loaded.tensors.items():
        if new := text_name(name):
            values = tensor.numpy()
            if new.endswith(("attn_q.weight", "attn_k.weight")):
                values = interleaved(values, head_size)
            writer.add_tensor(new, stored(values, matrix))
    finish(writer, matrix)


def write_vision(loaded: Loaded, path: Path, matrix: Any) -> None:
    """Writes the vision tower and the projector."""
    vision, checkpoint = loaded.checkpoint.vision, loaded.checkpoint
    writer = gguf.GGUFWriter(path, "clip", use_temp_file=True)
    writer.add_type("mmproj")
    writer.add_clip_has_vision_encoder(True)
    writer.add_clip_projector_type("mlp")
    writer.add_vision_image_size(vision["image_size"])
    writer.add_vision_patch_size(vision["patch_size"])
    writer.add_vision_embedding_length(vision["hidden_size"])
    writer.add_vision_feed_forward_length(vision["intermediate_size"])
    # The last layer is stored, and not computed.
    writer.add_vision_block_count(vision["num_hidden_layers"])
    writer.add_vision_head_count(vision["num_attention_heads"])
    writer.add_vision_attention_layernorm_eps(vision.get("layer_norm_eps", 1e-5))
    writer.add_vision_projection_dim(checkpoint.text["hidden_size"])
    writer.add_vision_image_mean(list(checkpoint.mean))
    writer.add_vision_image_std(list(checkpoint.std))
    # Where neither is set llama.cpp takes quick_gelu, CLIP's own.
    writer.add_vision_use_gelu(vision.get("hidden_act") == "gelu")
    for name, tensor in loaded.tensors.items():
        if new := vision_name(name):
            values = tensor.numpy()
            # llama.cpp adds positions in 32 bits only.
            kind = np.float32 if new.startswith("v.position") else matrix
            writer.add_tensor(new, stored(values, kind))
    finish(writer, matrix)


def finish(writer: Any, matrix: Any) -> None:
    """Writes the file."""
    kinds = gguf.LlamaFileType
    writer.add_file_type(kinds.ALL_F32 if matrix is np.float32 else kinds.MOSTLY_F16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_tokenizer(writer: Any, path: Path) -> None:
    """Adds the pieces of a SentencePiece model, and what `TEMPLATE` needs."""
    pieces = list(sentence_pieces(path.read_bytes()))
    writer.add_vocab_size(len(pieces))
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list([piece for piece, _, _ in pieces])
    writer.add_token_scores([score for _, score, _ in pieces])
    # Both count kinds alike: normal, unknown, control, user-defined, unused, byte.
    writer.add_token_types([kind for _, _, kind in pieces])
    ids = {piece: number for number, (piece, _, _) in enumerate(pieces)}
    writer.add_bos_token_id(ids[b"<s>"])
    writer.add_eos_token_id(ids[b"</s>"])
    writer.add_unk_token_id(ids[b"<unk>"])
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)
    writer.add_add_space_prefix(False)
    writer.add_chat_template(TEMPLATE)


def sentence_pieces(content: bytes) -> Iterator[tuple[bytes, float, int]]:
    """Yields piece, score and kind of each entry of a `tokenizer.model`.

    It is a protocol buffer, whose field 1 is repeated: the pieces. `sentencepiece` itself does not
    say which pieces are user-defined.
    """
    for number, value in fields(content):
        if number == 1 and isinstance(value, bytes):
            piece = dict(fields(value))
            score = struct.unpack("<f", piece.get(2, bytes(4)))[0]
            yield piece.get(1, b""), score, piece.get(3, 1)


def fields(content: bytes) -> Iterator[tuple[int, Any]]:
    """Yields the fields of a protocol buffer: numbers, or bytes where they have a length."""
    place = 0

    def varint() -> int:
        nonlocal place
        value = shift = 0
        while True:
            byte = content[place]
            place += 1
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    while place < len(content):
        tag = varint()
        kind = tag & 7
        if kind == 0:
            yield tag >> 3, varint()
            continue
        size = varint() if kind == 2 else {1: 8, 5: 4}[kind]
        yield tag >> 3, content[place : place + size]
        place += size


def text_name(name: str) -> str | None:
    """Returns llama.cpp's name for a tensor of the language model, None for another tensor."""
    place, _, kind = name.rpartition(".")
    if place in TEXT_NAMES:
        return f"{TEXT_NAMES[place]}.{kind}"
    start = "language_model.layers."
    if not name.startswith(start):
        return None
    number, _, inner = place.removeprefix(start).partition(".")
    return f"blk.{number}.{LAYER_NAMES[inner]}.{kind}"


def vision_name(name: str) -> str | None:
    """Returns llama.cpp's name for a tensor of tower or projector, None for another tensor."""
    if name == _CLASS_TOKEN:
        return "v.class_embd"
    place, _, kind = name.rpartition(".")
    if place in VISION_NAMES:
        return f"{VISION_NAMES[place]}.{kind}"
    start = "vision_tower.encoder.layers."
    if not name.startswith(start):
        return None
    number, _, inner = place.removeprefix(start).partition(".")
    return f"v.blk.{number}.{VISION_LAYER_NAMES[inner]}.{kind}"


def interleaved(matrix: np.ndarray[Any, Any], head_size: int) -> np.ndarray[Any, Any]:
    """Reorders the rows of each head: llama.cpp rotates neighbours, transformers two halves."""
    rows, columns = matrix.shape
    halves = matrix.reshape(rows // head_size, 2, head_size // 2, columns)
    return halves.swapaxes(1, 2).reshape(rows, columns)


def stored(values: np.ndarray[Any, Any], matrix: Any) -> np.ndarray[Any, Any]:
    """Converts to the type of matrices. llama.cpp wants vectors in 32 bits."""
    return np.ascontiguousarray(values.astype(matrix if values.ndim > 1 else np.float32))


if __name__ == "__main__":
    sys.exit(main())
