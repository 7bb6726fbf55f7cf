"""A real LLaVA-1.5 in toy sizes, written to disk as the real ones are, in both layouts.

The names and shapes are written out here, not taken from transformers or from our own loading, so
that both are tested against the content of the published checkpoints.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sentencepiece
import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, decoders, normalizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE

Weights = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Sizes:
    """A toy's sizes; `spare_rows` are what transformers' layout adds to the vocabulary."""

    vocabulary: int = 420
    hidden: int = 48
    mlp: int = 96
    layers: int = 2
    heads: int = 4
    context: int = 512
    spare_rows: int = 4
    vision_hidden: int = 32
    vision_mlp: int = 64
    vision_layers: int = 3
    vision_heads: int = 2
    image_size: int = 56
    patch_size: int = 14

    @property
    def image_tokens(self) -> int:
        return (self.image_size // self.patch_size) ** 2


TINY = Sizes()


# ---- weights, by the names of the original checkpoint and of CLIP's own folder -----------------


def shapes(sizes: Sizes = TINY) -> dict[str, tuple[int, ...]]:
    hidden, mlp = sizes.hidden, sizes.mlp
    of_text: dict[str, tuple[int, ...]] = {
        "model.embed_tokens.weight": (sizes.vocabulary, hidden),
        "model.norm.weight": (hidden,),
        "lm_head.weight": (sizes.vocabulary, hidden),
        "model.mm_projector.0.weight": (hidden, sizes.vision_hidden),
        "model.mm_projector.0.bias": (hidden,),
        "model.mm_projector.2.weight": (hidden, hidden),
        "model.mm_projector.2.bias": (hidden,),
    }
    for number in range(sizes.layers):
        layer = f"model.layers.{number}"
        of_text |= {f"{layer}.self_attn.{name}_proj.weight": (hidden, hidden) for name in "qkvo"}
        of_text |= {
            f"{layer}.mlp.gate_proj.weight": (mlp, hidden),
            f"{layer}.mlp.up_proj.weight": (mlp, hidden),
            f"{layer}.mlp.down_proj.weight": (hidden, mlp),
            f"{layer}.input_layernorm.weight": (hidden,),
            f"{layer}.post_attention_layernorm.weight": (hidden,),
        }
    return of_text | _tower_shapes(sizes)


def _tower_shapes(sizes: Sizes) -> dict[str, tuple[int, ...]]:
    hidden, mlp = sizes.vision_hidden, sizes.vision_mlp
    shapes: dict[str, tuple[int, ...]] = {
        "vision_model.embeddings.class_embedding": (hidden,),
        "vision_model.embeddings.patch_embedding.weight": (
            hidden,
            3,
            sizes.patch_size,
            sizes.patch_size,
        ),
        "vision_model.embeddings.position_embedding.weight": (sizes.image_tokens + 1, hidden),
    }
    linear = {}
    for number in range(sizes.vision_layers):
        layer = f"vision_model.encoder.layers.{number}"
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            linear[f"{layer}.self_attn.{name}"] = (hidden, hidden)
        linear[f"{layer}.mlp.fc1"] = (mlp, hidden)
        linear[f"{layer}.mlp.fc2"] = (hidden, mlp)
        linear[f"{layer}.layer_norm1"] = (hidden,)
        linear[f"{layer}.layer_norm2"] = (hidden,)
    linear["vision_model.pre_layrnorm"] = (hidden,)
    linear["vision_model.post_layernorm"] = (hidden,)
    for name, shape in linear.items():
        shapes |= {f"{name}.weight": shape, f"{name}.bias": shape[:1]}
    return shapes


def random_weights(
    sizes: Sizes = TINY, seed: int = 0, dtype: torch.dtype = torch.float16
) -> Weights:
    """Weights large enough that every part of the model matters for the next token."""
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for name, shape in shapes(sizes).items():
        tensor = torch.randn(shape, generator=generator)
        if len(shape) > 1:
            tensor *= 1.2 / (tensor[0].numel() ** 0.5)
        elif "norm" in name or "layrnorm" in name:
            tensor = tensor * 0.1 + (name.endswith("weight") * 1.0)
        else:
            tensor *= 0.1
        weights[name] = tensor.to(dtype)
    return weights


# ---- the two layouts ---------------------------------------------------------------------------


def text_settings(sizes: Sizes) -> dict[str, Any]:
    return {
        "vocab_size": sizes.vocabulary,
        "hidden_size": sizes.hidden,
        "intermediate_size": sizes.mlp,
        "num_hidden_layers": sizes.layers,
        "num_attention_heads": sizes.heads,
        "num_key_value_heads": sizes.heads,
        "hidden_act": "silu",
        "max_position_embeddings": sizes.context,
        # Not transformers' default, and large enough to be missed when it is not passed on.
        "rms_norm_eps": 1e-2,
        "rope_theta": 5000.0,
        "rope_scaling": None,
        "tie_word_embeddings": False,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def vision_settings(sizes: Sizes) -> dict[str, Any]:
    return {
        "model_type": "clip_vision_model",
        "hidden_size": sizes.vision_hidden,
        "intermediate_size": sizes.vision_mlp,
        "num_hidden_layers": sizes.vision_layers,
        "num_attention_heads": sizes.vision_heads,
        "image_size": sizes.image_size,
        "patch_size": sizes.patch_size,
        "hidden_act": "quick_gelu",
        "layer_norm_eps": 1e-5,
        "projection_dim": 16,
    }


def write_transformers_layout(
    folder: Path, weights: Weights | None = None, sizes: Sizes = TINY, **changes: Any
) -> Path:
    """A folder as llava-hf publishes it; `changes` go into config.json."""
    folder.mkdir(parents=True, exist_ok=True)
    renamed = {}
    generator = torch.Generator().manual_seed(99)
    for name, tensor in (weights or random_weights(sizes)).items():
        if name in ("model.embed_tokens.weight", "lm_head.weight"):
            spare = torch.randn(sizes.spare_rows, sizes.hidden, generator=generator)
            tensor = torch.cat([tensor, spare.to(tensor.dtype)])
        renamed[_transformers_name(name)] = tensor
    write_shards(folder, renamed, count=2)
    vocabulary = sizes.vocabulary + sizes.spare_rows
    config = {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "image_token_index": sizes.vocabulary,
        "projector_hidden_act": "gelu",
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
        "image_seq_length": sizes.image_tokens,
        "torch_dtype": "float16",
        "text_config": {**text_settings(sizes), "model_type": "llama", "vocab_size": vocabulary},
        "vision_config": vision_settings(sizes),
    }
    _write_json(folder / "config.json", config | changes)
    write_tokenizer(folder, vocabulary=sizes.vocabulary)
    return folder


def _transformers_name(name: str) -> str:
    if name.startswith("vision_model."):
        return f"vision_tower.{name}"
    for old, new in (("0", "linear_1"), ("2", "linear_2")):
        name = name.replace(f"model.mm_projector.{old}", f"multi_modal_projector.{new}")
    return name if name.startswith("multi_modal_projector") else f"language_model.{name}"


def write_original_layout(
    folder: Path,
    weights: Weights | None = None,
    sizes: Sizes = TINY,
    *,
    suffix: str = "safetensors",
    shards: int = 3,
    **changes: Any,
) -> Path:
    """A folder as haotian-liu published it, its vision tower in `clip/` beside the weights.

    With the traps of the real ones: the stage-1 projector, saved rotary frequencies, and a
    vision tower among the weights that is not the one to use.
    """
    folder.mkdir(parents=True, exist_ok=True)
    weights = weights or random_weights(sizes)
    tower = {name: tensor for name, tensor in weights.items() if name.startswith("vision_model.")}
    saved = {name: tensor for name, tensor in weights.items() if name not in tower}
    for number in range(sizes.layers):
        name = f"model.layers.{number}.self_attn.rotary_emb.inv_freq"
        saved[name] = torch.full((sizes.hidden // sizes.heads // 2,), 7.0)
    for name, tensor in tower.items():
        saved[f"model.vision_tower.vision_tower.{name}"] = torch.full_like(tensor, 3.0)
    write_shards(folder, saved, count=shards, suffix=suffix)
    stage_1 = {"model.mm_projector.0.weight": torch.zeros(1)}
    torch.save(stage_1, folder / "mm_projector.bin")
    config = {
        "architectures": ["LlavaLlamaForCausalLM"],
        "model_type": "llava",
        "mm_vision_tower": "clip",
        "mm_hidden_size": sizes.vision_hidden,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_select_layer": -2,
        "mm_vision_select_feature": "patch",
        "mm_use_im_start_end": False,
        "mm_use_im_patch_token": False,
        "image_aspect_ratio": "pad",
        "torch_dtype": "float16",
        **text_settings(sizes),
    }
    _write_json(folder / "config.json", config | changes)
    write_tower(folder / "clip", tower, sizes)
    write_tokenizer(folder, vocabulary=sizes.vocabulary)
    return folder


def write_adapter(
    folder: Path,
    base: str,
    sizes: Sizes = TINY,
    *,
    rank: int = 4,
    alpha: int = 8,
    suffix: str = "bin",
    seed: int = 7,
    **changes: Any,
) -> Weights:
    """A LoRA as the original code saves one; returns what it adds, and the new projector, by name.

    `changes` go into adapter_config.json.
    """
    folder.mkdir(parents=True, exist_ok=True)
    generator = torch.Generator().manual_seed(seed)
    saved, added = {}, {}
    for name, shape in shapes(sizes).items():
        if "model.layers" not in name or "proj" not in name:
            continue
        down = torch.randn(rank, shape[1], generator=generator) / shape[1] ** 0.5
        up = torch.randn(shape[0], rank, generator=generator) / rank**0.5
        stem = f"base_model.model.{name.removesuffix('.weight')}"
        saved |= {f"{stem}.lora_A.weight": down, f"{stem}.lora_B.weight": up}
        added[name] = alpha / rank * up @ down
    if suffix == "bin":
        torch.save(saved, folder / "adapter_model.bin")
    else:
        save_file(saved, folder / "adapter_model.safetensors")
    whole = {
        name: tensor
        for name, tensor in random_weights(sizes, seed).items()
        if "mm_projector" in name
    }
    torch.save(
        {f"base_model.model.{name}": tensor for name, tensor in whole.items()},
        folder / "non_lora_trainables.bin",
    )
    settings = {
        "base_model_name_or_path": base,
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": alpha,
        "bias": "none",
        "task_type": "CAUSAL_LM",
    }
    _write_json(folder / "adapter_config.json", settings | changes)
    return {**added, **whole}


def write_tower(folder: Path, tower: Weights, sizes: Sizes = TINY) -> Path:
    """A CLIP folder as OpenAI publishes it: both of its towers in one `pytorch_model.bin`."""
    folder.mkdir(parents=True, exist_ok=True)
    extra = {
        "text_model.embeddings.position_ids": torch.arange(4)[None],
        "vision_model.embeddings.position_ids": torch.arange(sizes.image_tokens + 1)[None],
        "visual_projection.weight": torch.zeros(16, sizes.vision_hidden),
        "logit_scale": torch.tensor(4.6),
    }
    torch.save({**tower, **extra}, folder / "pytorch_model.bin")
    config = {
        "architectures": ["CLIPModel"],
        "model_type": "clip",
        "text_config": {"hidden_size": 16},
        "vision_config": vision_settings(sizes),
    }
    _write_json(folder / "config.json", config)
    return folder


def write_shards(
    folder: Path, weights: Weights, *, count: int, suffix: str = "safetensors"
) -> list[Path]:
    """The weights in `count` files of about the same size, with their index; one has none."""
    stem = "model" if suffix == "safetensors" else "pytorch_model"
    total = sum(tensor.nbytes for tensor in weights.values())
    shards: list[Weights] = [{} for _ in range(count)]
    seen = 0
    for name, tensor in weights.items():
        shards[min(count - 1, seen * count // total)][name] = tensor.contiguous()
        seen += tensor.nbytes
    paths = []
    index = {}
    for number, shard in enumerate(shards, 1):
        part = "" if count == 1 else f"-{number:05}-of-{count:05}"
        path = folder / f"{stem}{part}.{suffix}"
        if suffix == "safetensors":
            save_file(shard, path, metadata={"format": "pt"})
        else:
            torch.save(shard, path)
        paths.append(path)
        index |= dict.fromkeys(shard, path.name)
    if count > 1:
        _write_json(
            folder / f"{stem}.{suffix}.index.json",
            {"metadata": {"total_size": total}, "weight_map": index},
        )
    return paths


def _write_json(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))


# ---- tokenizers --------------------------------------------------------------------------------

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
