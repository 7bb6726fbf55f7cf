"""The trained network becomes a model folder in transformers' layout, float16, small shards."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import torch
from network import Network, Sizes, is_scaffold
from sentencepiece import SentencePieceProcessor
from tokenizers import AddedToken, decoders
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import Metaspace
from tokenizers.processors import TemplateProcessing
from tokens import IMAGE_TOKEN, PAD_TOKEN, ROLES, VOCABULARY, tokenizer_settings
from torch import Tensor
from transformers import (
    CLIPVisionConfig,
    GenerationConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
)

from core.llava.prompt import SYSTEM

MOST_BYTES = 32_000_000
SHARD = "13MB"
# Conversation v1 for transformers' own processor. Its tokenizer puts no dummy prefix after a
# special token, so the template writes those prefixes out, as blanks after <image> and </s>.
CHAT_TEMPLATE = (
    f"{SYSTEM} "
    "{% for message in messages %}{% if message['role'] == 'user' %}"
    "{% if not loop.first %} {% endif %}USER: "
    "{% for part in message['content'] %}{% if part['type'] == 'image' %}<image> \n{% endif %}"
    "{% endfor %}{% for part in message['content'] %}{% if part['type'] == 'text' %}"
    "{{ part['text'] }} {% endif %}{% endfor %}{% else %}ASSISTANT: "
    "{% for part in message['content'] %}{{ part['text'] }}{% endfor %}</s>{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


def model_config(sizes: Sizes) -> LlavaConfig:
    """Every field that matters said outright: the defaults are those of other models."""
    vision = CLIPVisionConfig(
        hidden_size=sizes.vision_hidden,
        intermediate_size=sizes.vision_inner,
        projection_dim=sizes.vision_hidden,
        num_hidden_layers=sizes.vision_layers,
        num_attention_heads=sizes.vision_heads,
        num_channels=3,
        image_size=336,
        patch_size=14,
        hidden_act="quick_gelu",
        layer_norm_eps=1e-5,
        attention_dropout=0.0,
    )
    text = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=sizes.hidden,
        intermediate_size=sizes.inner,
        num_hidden_layers=sizes.layers,
        num_attention_heads=sizes.heads,
        num_key_value_heads=sizes.heads,
        head_dim=sizes.hidden // sizes.heads,
        hidden_act="silu",
        max_position_embeddings=sizes.positions,
        rms_norm_eps=sizes.rms_norm_eps,
        rope_parameters={"rope_type": "default", "rope_theta": sizes.rope_theta},
        attention_bias=False,
        mlp_bias=False,
        tie_word_embeddings=False,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=PAD_TOKEN,
    )
    config = LlavaConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=IMAGE_TOKEN,
        projector_hidden_act="gelu",
        vision_feature_select_strategy="default",
        vision_feature_layer=-2,
        image_seq_length=576,
        multimodal_projector_bias=True,
        tie_word_embeddings=False,
    )
    config.pad_token_id = PAD_TOKEN
    return config


def export(network: Network, tokenizer: Path, folder: Path) -> None:
    """Write the model folder anew; raises ValueError when it is too large."""
    model = LlavaForConditionalGeneration(model_config(network.sizes))
    model.load_state_dict(_renamed(network, model.state_dict()))
    model.generation_config = GenerationConfig(
        bos_token_id=1, eos_token_id=2, pad_token_id=PAD_TOKEN
    )
    fresh = folder.with_name(folder.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    model.half().save_pretrained(fresh, max_shard_size=SHARD)
    write_companions(tokenizer, fresh)
    for file in fresh.iterdir():
        file.chmod(0o644)
    size = sum(file.stat().st_size for file in fresh.iterdir())
    if size > MOST_BYTES:
        raise ValueError(f"The model folder has {size} bytes, more than {MOST_BYTES}.")
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _renamed(network: Network, wanted: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our parameters under transformers' names; the unused last layer and norm are zeros."""
    ours = {k: v.detach().cpu() for k, v in network.state_dict().items() if not is_scaffold(k)}
    out: dict[str, Tensor] = {}
    for name, there in wanted.items():
        key = name.removeprefix("model.").replace("vision_tower.vision_model.", "vision_tower.")
        value = ours.pop(key, None)
        if value is None:
            is_unused = f"encoder.layers.{network.sizes.vision_layers - 1}." in name
            if not (is_unused or "post_layernorm" in name or "position_ids" in name):
                raise ValueError(f"Nothing was trained for {name}.")
            value = there.clone() if "position_ids" in name else torch.zeros_like(there)
        out[name] = value
    if ours:
        raise ValueError(f"transformers' model has no place for {sorted(ours)}.")
    return out


def write_companions(tokenizer: Path, folder: Path) -> None:
    """Tokenizer and processor settings beside the weights."""
    if tokenizer.resolve() != folder.resolve():
        shutil.copy(tokenizer / "tokenizer.model", folder / "tokenizer.model")
    _write(folder / "tokenizer_config.json", tokenizer_settings())
    fast_tokenizer(folder / "tokenizer.model").save(str(folder / "tokenizer.json"), pretty=False)
    picture = {
        "image_processor_type": "LlavaImageProcessor",
        "do_pad": True,
        "do_resize": True,
        "do_center_crop": True,
        "do_rescale": True,
        "do_normalize": True,
        "do_convert_rgb": True,
        "size": {"shortest_edge": 336},
        "crop_size": {"height": 336, "width": 336},
        "resample": 3,
        "rescale_factor": 1 / 255,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
    }
    processor = {
        "processor_class": "LlavaProcessor",
        "image_token": "<image>",
        "num_additional_image_tokens": 1,
        "patch_size": 14,
        "vision_feature_select_strategy": "default",
    }
    _write(folder / "preprocessor_config.json", picture | {"processor_class": "LlavaProcessor"})
    _write(folder / "processor_config.json", processor)
    (folder / "chat_template.jinja").write_text(CHAT_TEMPLATE + "\n", "utf-8")


def fast_tokenizer(model: Path) -> FastTokenizer:
    """The same pieces for plain transformers; `core.llava.prompt` itself reads tokenizer.model."""
    pieces = SentencePieceProcessor(model_file=str(model))
    names = [pieces.id_to_piece(number) for number in range(pieces.get_piece_size())]
    vocabulary = {piece: number for number, piece in enumerate(names)}
    merges: list[tuple[str, str]] = []
    for number, piece in enumerate(names):
        if pieces.is_control(number) or pieces.is_byte(number) or piece in ROLES:
            continue
        cuts = [(piece[:at], piece[at:]) for at in range(1, len(piece))]
        merges += [cut for cut in cuts if cut[0] in vocabulary and cut[1] in vocabulary]
    bpe = BPE(vocabulary, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True)
    tokenizer = FastTokenizer(bpe)
    tokenizer.pre_tokenizer = Metaspace(prepend_scheme="first", split=False)
    tokenizer.decoder = decoders.Sequence(
        [
            decoders.Replace("▁", " "),
            decoders.ByteFallback(),
            decoders.Fuse(),
            decoders.Strip(" ", 1, 0),
        ]
    )
    tokenizer.add_special_tokens(
        [AddedToken(t, normalized=False) for t in ("<unk>", "<s>", "</s>")]
    )
    tokenizer.add_tokens([AddedToken(role, normalized=False) for role in sorted(ROLES)])
    tokenizer.add_special_tokens([AddedToken(t, normalized=False) for t in ("<image>", "<pad>")])
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", 1)]
    )
    return tokenizer


def _write(path: Path, value: dict[str, Any]) -> None:
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
