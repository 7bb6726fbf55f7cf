"""Real models of other architectures in toy sizes, with random weights, as transformers saves them.

Each has its family's own processor, placeholder tokens and a chat template in the family's manner.
What the weights say means nothing; that the pieces fit together is the point.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from tokenizers import AddedToken, decoders, pre_tokenizers
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import BPE

from core.vetting.kept import fingerprint, kept_verdicts
from core.vetting.verdict import EngineKind, Trial, Verdict

HIDDEN = 32
IMAGE = 28
"""Pixels of a side, as the vision towers see a picture; two patches of 14."""


def write_chat_model(folder: Path, family: str, seed: int = 0, **text: Any) -> Path:
    """A folder with a tiny random model of one of the families below.

    `text` changes the configuration of the language model.
    """
    folder.mkdir(parents=True, exist_ok=True)
    special, make, processor, template = (FAMILIES | MORE_FAMILIES | LEFT_TO_GENERATE)[family]
    tokens = ["<unk>", "<s>", "</s>", "<pad>", *special.values()]
    ids = {token: number for number, token in enumerate(tokens)}
    config = make(ids, special)
    for name, value in text.items():
        setattr(config.get_text_config(), name, value)
    _write_model(folder, config, seed)
    _write_tokenizer(folder, tokens, special)
    (folder / "processor_config.json").write_text(json.dumps(processor))
    (folder / "preprocessor_config.json").write_text(
        json.dumps(processor["image_processor"] | {"processor_class": processor["processor_class"]})
    )
    (folder / "chat_template.jinja").write_text(template)
    return folder


def as_if_tried(folder: Path) -> Path:
    """Lets the folder be opened without the trial in a process of its own, which takes seconds."""
    kept_verdicts().write(fingerprint(Trial(EngineKind.CHAT, folder)), Verdict())
    return folder


def _write_model(folder: Path, config: Any, seed: int) -> None:
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(seed)
    model = AutoModelForImageTextToText.from_config(config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1:
                # Large enough that every part matters for the next token.
                weight.normal_(std=1.2 / weight[0].numel() ** 0.5, generator=generator)
            elif "norm" not in name:
                weight.normal_(std=0.1, generator=generator)
    model.generation_config.eos_token_id = 2
    model.generation_config.pad_token_id = 3
    model.save_pretrained(folder)


def _write_tokenizer(folder: Path, special: list[str], named: dict[str, str]) -> None:
    """Bytes and the special tokens; no merges."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: number for number, token in enumerate([*special, *letters])}
    tokenizer = FastTokenizer(BPE(vocabulary, [], unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([AddedToken(text, normalized=False) for text in special])
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "unk_token": "<unk>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "<pad>",
        "extra_special_tokens": named,
        "model_max_length": 2048,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))


VOCABULARY = 4 + 256 + 24
"""Enough for the 256 bytes and the special tokens of every family."""

WIDE = {
    "hidden_size": 256,
    "intermediate_size": 512,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 64,
}
"""Sizes of a language model that there are CUDA kernels for."""

IN_SEVENS = {
    "hidden_size": 896,
    "intermediate_size": 1280,
    "num_attention_heads": 14,
    "num_key_value_heads": 2,
    "head_dim": 128,
}
"""The same, with seven heads to a key, as LLaVA-OneVision has them."""

_LLAMA: dict[str, Any] = {
    "vocab_size": VOCABULARY,
    "hidden_size": HIDDEN,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 2048,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 3,
}
_TOWER: dict[str, Any] = {
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "image_size": IMAGE,
    "patch_size": 14,
}
_SIZE = {"height": IMAGE, "width": IMAGE}
_GRID = [[IMAGE, 2 * IMAGE], [2 * IMAGE, IMAGE], [2 * IMAGE, 2 * IMAGE]]


def _llava_next(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import CLIPVisionConfig, LlamaConfig, LlavaNextConfig

    return LlavaNextConfig(
        text_config=LlamaConfig(**_LLAMA),
        vision_config=CLIPVisionConfig(**_TOWER),
        image_token_index=ids[special["image_token"]],
        image_grid_pinpoints=_GRID,
    )


def _joycaption(ids: dict[str, int], special: dict[str, str]) -> Any:
    """SigLIP and Llama 3.1, with its scaled rotary embeddings."""
    from transformers import LlamaConfig, LlavaConfig, SiglipVisionConfig

    scaled = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 64,
    }
    return LlavaConfig(
        text_config=LlamaConfig(**_LLAMA, rope_parameters=scaled),
        vision_config=SiglipVisionConfig(**_TOWER, vision_use_head=False),
        image_token_index=ids[special["image_token"]],
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
        image_seq_length=4,
    )


def _llava_next_mistral(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import CLIPVisionConfig, LlavaNextConfig, MistralConfig

    return LlavaNextConfig(
        text_config=MistralConfig(**_LLAMA, sliding_window=None),
        vision_config=CLIPVisionConfig(**_TOWER),
        image_token_index=ids[special["image_token"]],
        image_grid_pinpoints=_GRID,
    )


def _bakllava(ids: dict[str, int], special: dict[str, str]) -> Any:
    """LLaVA-1.5 with a Mistral in the Llama's place."""
    from transformers import CLIPVisionConfig, LlavaConfig, MistralConfig

    return LlavaConfig(
        text_config=MistralConfig(**_LLAMA, sliding_window=None),
        vision_config=CLIPVisionConfig(**_TOWER),
        image_token_index=ids[special["image_token"]],
        image_seq_length=4,
    )


def _llava_onevision(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import LlavaOnevisionConfig, Qwen2Config, SiglipVisionConfig

    return LlavaOnevisionConfig(
        text_config=Qwen2Config(**_LLAMA),
        vision_config=SiglipVisionConfig(**_TOWER, vision_use_head=False),
        image_token_index=ids[special["image_token"]],
        video_token_index=ids[special["video_token"]],
        image_grid_pinpoints=_GRID,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )


_QWEN_TOWER = {
    "depth": 2,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_heads": 2,
    "out_hidden_size": HIDDEN,
    "patch_size": 14,
}


def _qwen_ids(ids: dict[str, int], special: dict[str, str]) -> dict[str, Any]:
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    return {f"{name}_id": ids[special[name]] for name in names}


def _qwen2_5_vl(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Qwen2_5_VLConfig

    return Qwen2_5_VLConfig(
        text_config={
            **_LLAMA,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [1, 1, 2],
                "rope_theta": 1e4,
            },
        },
        vision_config={
            **_QWEN_TOWER,
            "fullatt_block_indexes": [1],
            "window_size": 56,
        },
        **_qwen_ids(ids, special),
    )


def _qwen2_vl(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Qwen2VLConfig

    return Qwen2VLConfig(
        text_config={
            **_LLAMA,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [1, 1, 2],
                "rope_theta": 1e4,
            },
        },
        vision_config={
            "depth": 2,
            "embed_dim": 32,
            "hidden_size": HIDDEN,
            "num_heads": 2,
            "mlp_ratio": 2,
            "patch_size": 14,
        },
        **_qwen_ids(ids, special),
    )


def _internvl(ids: dict[str, int], special: dict[str, str]) -> Any:
    """Four patches a side, of which two by two become one."""
    from transformers import InternVLConfig, InternVLVisionConfig, Qwen2Config

    tower: dict[str, Any] = _TOWER | {"image_size": (56, 56), "patch_size": (14, 14)}
    return InternVLConfig(
        text_config=Qwen2Config(**_LLAMA),
        vision_config=InternVLVisionConfig(**tower),
        image_token_id=ids[special["context_image_token"]],
        image_seq_length=4,
        tie_word_embeddings=False,
    )


def _qwen3_vl(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Qwen3VLConfig

    return Qwen3VLConfig(
        text_config={
            **_LLAMA,
            "head_dim": 8,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [1, 1, 2],
                "mrope_interleaved": True,
                "rope_theta": 1e4,
            },
        },
        vision_config={
            **_QWEN_TOWER,
            "num_position_embeddings": 16,
            "deepstack_visual_indexes": [0],
        },
        **_qwen_ids(ids, special),
    )


def _qwen3_vl_moe(ids: dict[str, int], special: dict[str, str]) -> Any:
    """The same with four experts, of which each token takes two."""
    from transformers import Qwen3VLMoeConfig

    dense = _qwen3_vl(ids, special).to_dict()
    experts = {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 24}
    return Qwen3VLMoeConfig(
        text_config=dense["text_config"] | experts | {"model_type": "qwen3_vl_moe_text"},
        vision_config=dense["vision_config"] | {"model_type": "qwen3_vl_moe_vision"},
        **_qwen_ids(ids, special),
    )


def _smolvlm(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import LlamaConfig, SmolVLMConfig

    return SmolVLMConfig(
        text_config=LlamaConfig(**_LLAMA).to_dict(),
        vision_config={**_TOWER, "model_type": "smolvlm_vision"},
        image_token_id=ids[special["image_token"]],
        scale_factor=2,
    )


def _idefics3(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Idefics3Config, LlamaConfig

    return Idefics3Config(
        text_config=LlamaConfig(**_LLAMA),
        vision_config={**_TOWER, "model_type": "idefics3_vision"},
        image_token_id=ids[special["image_token"]],
        scale_factor=2,
    )


def _gemma3(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Gemma3Config, Gemma3TextConfig, SiglipVisionConfig

    return Gemma3Config(
        text_config=Gemma3TextConfig(
            **_LLAMA, head_dim=8, sliding_window=64, query_pre_attn_scalar=8
        ),
        vision_config=SiglipVisionConfig(**_TOWER, vision_use_head=False),
        mm_tokens_per_image=4,
        tie_word_embeddings=False,
        image_token_index=ids[special["image_token"]],
        boi_token_index=ids[special["boi_token"]],
        eoi_token_index=ids[special["eoi_token"]],
    )


def _mistral3(ids: dict[str, int], special: dict[str, str]) -> Any:
    """Patches of 14, of which two by two become one."""
    from transformers import Mistral3Config, MistralConfig

    return Mistral3Config(
        text_config=MistralConfig(**_LLAMA, head_dim=8, sliding_window=None),
        vision_config={**_TOWER, "image_size": 8 * 14, "model_type": "pixtral"},
        image_token_index=ids[special["image_token"]],
        spatial_merge_size=2,
        tie_word_embeddings=False,
    )


def _pixtral(ids: dict[str, int], special: dict[str, str]) -> Any:
    """A LLaVA with Pixtral's tower, which takes images of any shape."""
    from transformers import LlavaConfig, MistralConfig

    return LlavaConfig(
        text_config=MistralConfig(**_LLAMA, head_dim=8, sliding_window=None),
        vision_config={**_TOWER, "image_size": 4 * 14, "model_type": "pixtral"},
        image_token_index=ids[special["image_token"]],
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
        tie_word_embeddings=False,
    )


def _idefics2(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import Idefics2Config, MistralConfig

    perceiver = {
        "resampler_n_latents": 3,
        "resampler_depth": 2,
        "resampler_n_heads": 4,
        "resampler_head_dim": 8,
        "num_key_value_heads": 2,
        "hidden_size": HIDDEN,
    }
    return Idefics2Config(
        text_config=MistralConfig(**_LLAMA, head_dim=8),
        vision_config={**_TOWER, "image_size": 4 * 14, "model_type": "idefics2_vision"},
        perceiver_config=perceiver,
        image_token_id=ids[special["image_token"]],
        tie_word_embeddings=False,
    )


def _gemma4(ids: dict[str, int], special: dict[str, str]) -> Any:
    """Layers of two kinds with heads of two sizes, of which the last two share keys and values."""
    from transformers import Gemma4Config

    return Gemma4Config(
        text_config={
            **_LLAMA,
            "num_hidden_layers": 6,
            "layer_types": ["sliding_attention", "full_attention"] * 3,
            "sliding_window": 64,
            "head_dim": 8,
            "global_head_dim": 16,
            "num_kv_shared_layers": 2,
            "vocab_size_per_layer_input": VOCABULARY,
            "hidden_size_per_layer_input": 8,
        },
        vision_config={
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_hidden_layers": 2,
            "num_attention_heads": 2,
            "num_key_value_heads": 2,
            "head_dim": 16,
            "patch_size": 4,
            "pooling_kernel_size": 2,
            "position_embedding_size": 300,
        },
        tie_word_embeddings=False,
        image_token_id=ids[special["image_token"]],
        video_token_id=ids["<|video|>"],
        audio_token_id=ids[special["audio_token"]],
        boi_token_id=ids[special["boi_token"]],
        eoi_token_id=ids[special["eoi_token"]],
        boa_token_id=ids[special["boa_token"]],
        eoa_token_index=ids[special["eoa_token"]],
    )


def _paligemma(ids: dict[str, int], special: dict[str, str]) -> Any:
    from transformers import GemmaConfig, PaliGemmaConfig, SiglipVisionConfig

    return PaliGemmaConfig(
        text_config=GemmaConfig(**_LLAMA, head_dim=8),
        vision_config=SiglipVisionConfig(**_TOWER, vision_use_head=False),
        projection_dim=HIDDEN,
        hidden_size=HIDDEN,
        image_token_index=ids[special["image_token"]],
        tie_word_embeddings=False,
    )


# ---- chat templates, in each family's manner ---------------------------------------------------

_ROLES = (
    "{{% for message in messages %}}{begin}"
    "{{% for part in message['content'] %}}{{% if part['type'] == 'image' %}}{image}"
    "{{% else %}}{{{{ part['text'] }}}}{{% endif %}}{{% endfor %}}{end}{{% endfor %}}"
    "{{% if add_generation_prompt %}}{answer}{{% endif %}}"
)


def _template(begin: str, image: str, end: str, answer: str) -> str:
    return _ROLES.format(begin=begin, image=image, end=end, answer=answer)


_CHATML = _template(
    "<|im_start|>{{ message['role'] }}\n", "{image}", "<|im_end|>\n", "<|im_start|>assistant\n"
)


def _idefics_processor(name: str, image_processor: str) -> dict[str, Any]:
    return {
        "processor_class": name,
        "image_seq_len": 1,
        "image_processor": {
            "image_processor_type": image_processor,
            "size": {"longest_edge": 2 * IMAGE},
            "max_image_size": {"longest_edge": IMAGE},
            "do_image_splitting": True,
        },
    }


_IDEFICS_TOKENS = {
    "image_token": "<image>",
    "fake_image_token": "<fake_token_around_image>",
    "global_image_token": "<global-img>",
    "end_of_utterance_token": "<end_of_utterance>",
    **{f"row_{r}_{c}": f"<row_{r}_col_{c}>" for r in (1, 2) for c in (1, 2)},
}
_IDEFICS = _template("{{ message['role'] }}:", "<image>", "<end_of_utterance>\n", "Assistant:")

_QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
_QWEN = _CHATML.replace("{image}", "<|vision_start|><|image_pad|><|vision_end|>")


def _qwen_processor(name: str) -> dict[str, Any]:
    return {
        "processor_class": name,
        "image_processor": {
            "image_processor_type": "Qwen2VLImageProcessor",
            "size": {"shortest_edge": 4 * 28 * 28, "longest_edge": 16 * 28 * 28},
            "patch_size": 14,
            "temporal_patch_size": 2,
            "merge_size": 2,
        },
    }


_LLAVA_NEXT_PROCESSOR = {
    "processor_class": "LlavaNextProcessor",
    "patch_size": 14,
    "vision_feature_select_strategy": "default",
    "num_additional_image_tokens": 1,
    "image_processor": {
        "image_processor_type": "LlavaNextImageProcessor",
        "size": {"shortest_edge": IMAGE},
        "crop_size": _SIZE,
        "image_grid_pinpoints": _GRID,
    },
}

Make = Callable[[dict[str, int], dict[str, str]], Any]

FAMILIES: dict[str, tuple[dict[str, str], Make, dict[str, Any], str]] = {
    "llava_next": (
        {"image_token": "<image>"},
        _llava_next,
        _LLAVA_NEXT_PROCESSOR,
        _template("[{{ message['role'] }}] ", "<image>\n", "</s>", "[assistant] "),
    ),
    "llava_next_mistral": (
        {"image_token": "<image>"},
        _llava_next_mistral,
        _LLAVA_NEXT_PROCESSOR,
        _template("[INST] {{ message['role'] }} ", "<image>\n", "[/INST] ", ""),
    ),
    "joycaption": (
        {"image_token": "<image>"},
        _joycaption,
        {
            "processor_class": "LlavaProcessor",
            "patch_size": 14,
            "vision_feature_select_strategy": "full",
            "num_additional_image_tokens": 0,
            "image_processor": {
                "image_processor_type": "SiglipImageProcessor",
                "size": _SIZE,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
            },
        },
        _template("<{{ message['role'] }}>", "<image>", "\n", "<assistant>"),
    ),
    "bakllava": (
        {"image_token": "<image>"},
        _bakllava,
        {
            "processor_class": "LlavaProcessor",
            "patch_size": 14,
            "vision_feature_select_strategy": "default",
            "num_additional_image_tokens": 1,
            "image_processor": {
                "image_processor_type": "CLIPImageProcessor",
                "size": {"shortest_edge": IMAGE},
                "crop_size": _SIZE,
            },
        },
        _template("{{ message['role'] }}: ", "<image>\n", "</s>", "assistant: "),
    ),
    "llava_onevision": (
        {"image_token": "<image>", "video_token": "<video>"},
        _llava_onevision,
        {
            "processor_class": "LlavaOnevisionProcessor",
            "num_image_tokens": 4,
            "vision_feature_select_strategy": "full",
            "image_processor": {
                "image_processor_type": "LlavaOnevisionImageProcessor",
                "size": _SIZE,
                "image_grid_pinpoints": _GRID,
            },
        },
        _CHATML.replace("{image}", "<image>\n"),
    ),
    "qwen2_5_vl": (
        _QWEN_TOKENS,
        _qwen2_5_vl,
        _qwen_processor("Qwen2_5_VLProcessor"),
        _QWEN,
    ),
    "qwen3_vl": (
        _QWEN_TOKENS,
        _qwen3_vl,
        _qwen_processor("Qwen3VLProcessor"),
        _QWEN,
    ),
    "smolvlm": (
        _IDEFICS_TOKENS,
        _smolvlm,
        _idefics_processor("SmolVLMProcessor", "SmolVLMImageProcessor"),
        _IDEFICS,
    ),
    "idefics3": (
        _IDEFICS_TOKENS,
        _idefics3,
        _idefics_processor("Idefics3Processor", "Idefics3ImageProcessor"),
        _IDEFICS,
    ),
    "gemma3": (
        {
            "boi_token": "<start_of_image>",
            "eoi_token": "<end_of_image>",
            "image_token": "<image_soft_token>",
        },
        _gemma3,
        {
            "processor_class": "Gemma3Processor",
            "image_seq_length": 4,
            "image_processor": {
                "image_processor_type": "Gemma3ImageProcessor",
                "size": _SIZE,
                "image_mean": [0.5, 0.5, 0.5],
                "image_std": [0.5, 0.5, 0.5],
            },
        },
        "<s>" + _template("[{{ message['role'] }}]", "<start_of_image>", "\n", "[model]"),
    ),
}
"""By name: the special tokens, what makes the configuration, the processor's settings, and the
chat template."""


_PIXTRAL_TOKENS = {
    "image_token": "[IMG]",
    "image_break_token": "[IMG_BREAK]",
    "image_end_token": "[IMG_END]",
}
_PIXTRAL = "<s>" + _template("[INST]", "[IMG]", "[/INST]", "")


def _pixtral_processor(patches: int, merge: int) -> dict[str, Any]:
    return {
        "processor_class": "PixtralProcessor",
        "patch_size": 14,
        "spatial_merge_size": merge,
        "image_token": "[IMG]",
        "image_break_token": "[IMG_BREAK]",
        "image_end_token": "[IMG_END]",
        "image_processor": {
            "image_processor_type": "PixtralImageProcessor",
            "size": {"longest_edge": patches * 14},
            "patch_size": {"height": 14, "width": 14},
        },
    }


MORE_FAMILIES: dict[str, tuple[dict[str, str], Make, dict[str, Any], str]] = {
    "qwen2_vl": (
        _QWEN_TOKENS,
        _qwen2_vl,
        _qwen_processor("Qwen2VLProcessor"),
        _QWEN,
    ),
    "internvl": (
        {
            "start_image_token": "<img>",
            "end_image_token": "</img>",
            "context_image_token": "<IMG_CONTEXT>",
            "video_token": "<video>",
        },
        _internvl,
        {
            "processor_class": "InternVLProcessor",
            "image_seq_length": 4,
            "image_processor": {
                "image_processor_type": "GotOcr2ImageProcessor",
                "size": {"height": 56, "width": 56},
                "crop_to_patches": True,
                "min_patches": 1,
                "max_patches": 4,
            },
        },
        _CHATML.replace("{image}", "<IMG_CONTEXT>\n"),
    ),
    "qwen3_vl_moe": (
        _QWEN_TOKENS,
        _qwen3_vl_moe,
        _qwen_processor("Qwen3VLProcessor"),
        _QWEN,
    ),
    "mistral3": (_PIXTRAL_TOKENS, _mistral3, _pixtral_processor(8, 2), _PIXTRAL),
    "pixtral": (_PIXTRAL_TOKENS, _pixtral, _pixtral_processor(4, 1), _PIXTRAL),
    "idefics2": (
        _IDEFICS_TOKENS | {"image_boundary_token": "<fake_token_around_image>"},
        _idefics2,
        {
            "processor_class": "Idefics2Processor",
            "image_seq_len": 3,
            "image_processor": {
                "image_processor_type": "Idefics2ImageProcessor",
                "size": {"shortest_edge": 2 * 14, "longest_edge": 4 * 14},
                "do_image_splitting": False,
            },
        },
        _IDEFICS,
    ),
    "gemma4": (
        {
            "boi_token": "<|image>",
            "eoi_token": "<image|>",
            "image_token": "<|image|>",
            "boa_token": "<|audio>",
            "eoa_token": "<audio|>",
            "audio_token": "<|audio|>",
            "video_token": "<|video|>",
        },
        _gemma4,
        {
            "processor_class": "Gemma4Processor",
            "image_seq_length": 70,
            "image_processor": {
                "image_processor_type": "Gemma4ImageProcessor",
                "max_soft_tokens": 70,
                "patch_size": 4,
                "pooling_kernel_size": 2,
            },
            "feature_extractor": {"feature_extractor_type": "Gemma4AudioFeatureExtractor"},
        },
        "<s>" + _template("[{{ message['role'] }}]", "<|image|>", "\n", "[model]"),
    ),
}
"""Those that the window offers no model of: fewer tests run them."""


LEFT_TO_GENERATE: dict[str, tuple[dict[str, str], Make, dict[str, Any], str]] = {
    "paligemma": (
        {"image_token": "<image>"},
        _paligemma,
        {
            "processor_class": "PaliGemmaProcessor",
            "image_processor": {
                "image_processor_type": "SiglipImageProcessor",
                "size": _SIZE,
                "image_seq_length": 4,
            },
        },
        _template("", "<image>", "", ""),
    ),
}
"""Those that only transformers' `generate()` runs."""
