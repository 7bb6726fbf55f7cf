"""Sizes of other architectures with random weights, for measuring without a checkpoint.

The sizes are those of the published config.json files: of `llava-hf/llava-v1.6-vicuna-7b-hf` (a
Vicuna, whose vocabulary transformers' conversion pads to 32,064) and `-mistral-7b-hf`,
`llava-hf/llava-onevision-qwen2-7b-ov-hf`, `Qwen/Qwen3-VL-8B-Instruct`, and of JoyCaption's
`google/siglip-so400m-patch14-384` and `meta-llama/Llama-3.1-8B-Instruct`. `resources/models.json`
has those of them that the window offers, and a test compares the two. BakLLaVA's are those of
`mistralai/Mistral-7B-v0.1` with 64 more tokens, as transformers' conversion pads it, and of
`openai/clip-vit-large-patch14-336`, by `scripts/finetune.sh` and the config.json files in
https://github.com/SkunkworksAI/BakLLaVA; it reads as much as its sliding window holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModelForImageTextToText,
    CLIPVisionConfig,
    LlamaConfig,
    LlavaConfig,
    LlavaNextConfig,
    LlavaNextProcessor,
    LlavaOnevisionConfig,
    LlavaOnevisionProcessor,
    LlavaProcessor,
    MistralConfig,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3VLConfig,
    Qwen3VLProcessor,
    SiglipVisionConfig,
)
from transformers.initialization import no_init_weights
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.models.llava_next.image_processing_pil_llava_next import (
    LlavaNextImageProcessorPil,
)
from transformers.models.llava_onevision.image_processing_pil_llava_onevision import (
    LlavaOnevisionImageProcessorPil,
)
from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil
from transformers.models.siglip.image_processing_pil_siglip import SiglipImageProcessorPil

from core.chat.engine import ChatEngine
from core.chat.loading import quantize_layers
from core.chat.processor import without_video
from core.device.choice import (
    choose_device,
    choose_dtype,
    device_name,
    precision_of,
    require_memory,
)
from core.engine import EngineFacts
from core.terminal.random_weights import fill_randomly
from core.transcript import ModelChoice

_SPECIAL = ("<unk>", "<s>", "</s>", "<pad>", "<image>", "<vision>", "</vision>", "<video>")
_IMAGE_TOKEN, _END = _SPECIAL.index("<image>"), _SPECIAL.index("</s>")
_VISION_BEGIN, _VISION_END, _VIDEO = (_SPECIAL.index(one) for one in _SPECIAL[5:])
_TEMPLATE = (
    "{% for message in messages %}{{ message['role'] }} {% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image> {% else %}{{ part['text'] }} {% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}assistant {% endif %}"
)


@dataclass(frozen=True)
class RandomModel:
    """What makes the configuration and the processor of a model."""

    config: Callable[[], PreTrainedConfig]
    processor: Callable[[PreTrainedTokenizerFast], Any]


def _joycaption() -> LlavaConfig:
    """SigLIP so400m at 384 pixels, and Llama 3.1 8B."""
    rotary = {
        "rope_type": "llama3",
        "rope_theta": 500000.0,
        "factor": 8.0,
        "low_freq_factor": 1.0,
        "high_freq_factor": 4.0,
        "original_max_position_embeddings": 8192,
    }
    return LlavaConfig(
        text_config=LlamaConfig(
            vocab_size=128256,
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            max_position_embeddings=131072,
            rms_norm_eps=1e-5,
            rope_parameters=rotary,
        ),
        vision_config=SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=27,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
            vision_use_head=False,
        ),
        image_token_index=_IMAGE_TOKEN,
        vision_feature_layer=-2,
        vision_feature_select_strategy="full",
        image_seq_length=729,
    )


def _joycaption_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    return LlavaProcessor(
        SiglipImageProcessorPil(size={"height": 384, "width": 384}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="full",
        num_additional_image_tokens=0,
        chat_template=_TEMPLATE,
    )


def _clip() -> CLIPVisionConfig:
    """The tower of LLaVA-1.5 and 1.6 and of BakLLaVA."""
    return CLIPVisionConfig(
        hidden_size=1024,
        intermediate_size=4096,
        num_hidden_layers=24,
        num_attention_heads=16,
        image_size=336,
        patch_size=14,
    )


def _bakllava() -> LlavaConfig:
    """CLIP at 336 pixels, and Mistral 7B."""
    return LlavaConfig(
        text_config=MistralConfig(
            vocab_size=32064,
            hidden_size=4096,
            intermediate_size=14336,
            num_hidden_layers=32,
            num_attention_heads=32,
            num_key_value_heads=8,
            max_position_embeddings=4096,
            rms_norm_eps=1e-5,
            rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
            sliding_window=None,
        ),
        vision_config=_clip(),
        image_token_index=_IMAGE_TOKEN,
        image_seq_length=576,
    )


def _bakllava_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    return LlavaProcessor(
        CLIPImageProcessorPil(size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def _llava_1_6(text: PreTrainedConfig) -> LlavaNextConfig:
    return LlavaNextConfig(
        text_config=text,
        vision_config=_clip(),
        image_token_index=_IMAGE_TOKEN,
    )


def _llava_1_6_mistral() -> LlavaNextConfig:
    return _llava_1_6(
        MistralConfig(vocab_size=32064, max_position_embeddings=32768, sliding_window=None)
    )


def _llava_1_6_vicuna() -> LlavaNextConfig:
    return _llava_1_6(LlamaConfig(vocab_size=32064, max_position_embeddings=4096))


def _llava_1_6_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    return LlavaNextProcessor(
        LlavaNextImageProcessorPil(
            size={"shortest_edge": 336}, crop_size={"height": 336, "width": 336}
        ),
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=_TEMPLATE,
    )


def _llava_onevision() -> LlavaOnevisionConfig:
    """SigLIP so400m at 384 pixels without its last layer, and Qwen2 7B."""
    return LlavaOnevisionConfig(
        text_config=Qwen2Config(
            vocab_size=152128,
            hidden_size=3584,
            intermediate_size=18944,
            num_hidden_layers=28,
            num_attention_heads=28,
            num_key_value_heads=4,
            max_position_embeddings=32768,
            rope_parameters={"rope_type": "default", "rope_theta": 1e6},
        ),
        vision_config=SiglipVisionConfig(
            hidden_size=1152,
            intermediate_size=4304,
            num_hidden_layers=26,
            num_attention_heads=16,
            image_size=384,
            patch_size=14,
            vision_use_head=False,
        ),
        image_token_index=_IMAGE_TOKEN,
        video_token_index=_VIDEO,
        vision_feature_layer=-1,
        vision_feature_select_strategy="full",
    )


def _llava_onevision_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    kind: Any = without_video(LlavaOnevisionProcessor)
    return kind(
        image_processor=LlavaOnevisionImageProcessorPil(size={"height": 384, "width": 384}),
        tokenizer=tokenizer,
        num_image_tokens=729,
        vision_feature_select_strategy="full",
        chat_template=_TEMPLATE,
    )


def _qwen3_vl() -> Qwen3VLConfig:
    """Qwen3-VL 8B."""
    return Qwen3VLConfig(
        text_config={
            "vocab_size": 151936,
            "hidden_size": 4096,
            "intermediate_size": 12288,
            "num_hidden_layers": 36,
            "num_attention_heads": 32,
            "num_key_value_heads": 8,
            "head_dim": 128,
            "max_position_embeddings": 262144,
            "rope_parameters": {
                "rope_type": "default",
                "mrope_section": [24, 20, 20],
                "mrope_interleaved": True,
                "rope_theta": 5e6,
            },
        },
        vision_config={"out_hidden_size": 4096},
        image_token_id=_IMAGE_TOKEN,
        video_token_id=_VIDEO,
        vision_start_token_id=_VISION_BEGIN,
        vision_end_token_id=_VISION_END,
    )


def _qwen3_vl_processor(tokenizer: PreTrainedTokenizerFast) -> Any:
    images = Qwen2VLImageProcessorPil(
        patch_size=16,
        size={"shortest_edge": 256 * 256, "longest_edge": 4096 * 4096},
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    kind: Any = without_video(Qwen3VLProcessor)
    template = _TEMPLATE.replace("<image>", "<vision> <image> </vision>")
    return kind(image_processor=images, tokenizer=tokenizer, chat_template=template)


RANDOM_MODELS = {
    "joycaption": RandomModel(_joycaption, _joycaption_processor),
    "llava-1.6-mistral-7b": RandomModel(_llava_1_6_mistral, _llava_1_6_processor),
    "llava-1.6-vicuna-7b": RandomModel(_llava_1_6_vicuna, _llava_1_6_processor),
    "llava-onevision-7b": RandomModel(_llava_onevision, _llava_onevision_processor),
    "qwen3-vl-8b": RandomModel(_qwen3_vl, _qwen3_vl_processor),
    "bakllava": RandomModel(_bakllava, _bakllava_processor),
}


def random_chat_engine(choice: ModelChoice, made: RandomModel) -> ChatEngine:
    """A model that generates nonsense at the speed of a real one; `choice.model` is its name.

    Raises OutOfMemory if it does not fit.
    """
    config = made.config()
    config._attn_implementation = "sdpa"
    with torch.device("meta"):
        parameters = sum(
            one.numel() for one in AutoModelForImageTextToText.from_config(config).parameters()
        )
    device, kind = choose_device(choice.device), choice.dtype.weight_format
    dtype = choose_dtype(choice.dtype, device, parameters)
    if dtype == torch.float16:
        dtype = torch.bfloat16  # As these models are published.
    require_memory(parameters * dtype.itemsize, device)
    torch.manual_seed(0)
    model = _drawn_model(config, device, dtype)
    vocabulary = config.get_text_config().vocab_size
    with torch.no_grad():
        model.lm_head.weight[: len(_SPECIAL)] = 0  # No answer ends early.
    model.eval().requires_grad_(False)
    if kind:
        quantize_layers(model, kind, device, threading.Event())
    facts = EngineFacts(
        model=f"Random weights in the sizes of {choice.model}",
        device=str(device),
        device_name=device_name(device),
        dtype=precision_of(dtype, kind),
        memory_bytes=sum(tensor.nbytes for tensor in model.state_dict().values()),
        context_length=config.get_text_config().max_position_embeddings,
    )
    processor = made.processor(_tokenizer(vocabulary))
    return ChatEngine(
        model, processor, facts, end_ids=(_END,), quantizes_cache=choice.quantizes_cache
    )


def _drawn_model(config: PreTrainedConfig, device: torch.device, dtype: torch.dtype) -> Any:
    """A model with random weights, as transformers initializes them.

    A processor takes minutes to draw billions of numbers: there its matrices of one shape are
    alike.
    """
    with torch.device(device):
        if device.type != "cpu":
            return AutoModelForImageTextToText.from_config(config, dtype=dtype)
        with no_init_weights():
            model: Any = AutoModelForImageTextToText.from_config(config, dtype=dtype)
    model.tie_weights()
    drawn: dict[torch.Size, torch.Tensor] = {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            alike = drawn.setdefault(parameter.shape, parameter)
            if alike is parameter or parameter.dim() == 1:
                fill_randomly(name, parameter, dtype)
            else:
                parameter.copy_(alike)
    return model


def _tokenizer(size: int) -> PreTrainedTokenizerFast:
    """A vocabulary of so many words, each of which is one token."""
    words = [
        "user",
        "assistant",
        *["Please", "describe", "this", "image", "in", "detail", "."],
        "please",
    ]
    known = dict.fromkeys((*_SPECIAL, *words))
    ids = {word: number for number, word in enumerate(known)}
    ids |= {f"w{number}": number for number in range(len(ids), size)}
    tokenizer = Tokenizer(models.WordLevel(ids, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        unk_token="<unk>",
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        extra_special_tokens={
            "image_token": "<image>",
            "video_token": "<video>",
            "vision_start_token": "<vision>",
            "vision_end_token": "</vision>",
        },
    )
    fast.chat_template = _TEMPLATE
    return fast
