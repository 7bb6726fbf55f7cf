"""The network while it is trained: LLaVA-1.5's architecture in small, with heads that say what
each patch shows. Names of parameters are transformers' own, so that export only renames prefixes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812
from catalogue import ALPHABET, THING_COLOURS, class_names
from scenes import CELLS, LONGEST_WORD, MOST_THINGS
from tokens import VOCABULARY
from torch import Tensor, nn

PATCH, GRID = 14, 24
IMAGE_TOKENS = GRID * GRID


@dataclass(frozen=True)
class Sizes:
    """How large the parts are; `tiny` for tests of the recipe."""

    vision_hidden: int = 320
    vision_layers: int = 7  # The last is never used: features come from the one before.
    vision_heads: int = 5
    vision_inner: int = 1024
    hidden: int = 256
    layers: int = 7
    heads: int = 4
    inner: int = 688
    rms_norm_eps: float = 1e-5
    rope_theta: float = 10000.0
    positions: int = 2048

    @staticmethod
    def tiny() -> Sizes:
        return Sizes(64, 3, 2, 128, 64, 2, 2, 128)


def _heads(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class VisionAttention(nn.Module):
    def __init__(self, hidden: int, heads: int):
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(hidden, hidden)
        self.k_proj = nn.Linear(hidden, hidden)
        self.v_proj = nn.Linear(hidden, hidden)
        self.out_proj = nn.Linear(hidden, hidden)

    def forward(self, x: Tensor) -> Tensor:
        parts = (self.q_proj, self.k_proj, self.v_proj)
        weight = torch.cat([part.weight for part in parts])
        bias = torch.cat([part.bias for part in parts])
        q, k, v = (_heads(p, self.heads) for p in F.linear(x, weight, bias).chunk(3, -1))
        y = F.scaled_dot_product_attention(q, k, v)
        return self.out_proj(y.transpose(1, 2).flatten(2))


class VisionMlp(nn.Module):
    def __init__(self, hidden: int, inner: int):
        super().__init__()
        self.fc1 = nn.Linear(hidden, inner)
        self.fc2 = nn.Linear(inner, hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class VisionLayer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.self_attn = VisionAttention(sizes.vision_hidden, sizes.vision_heads)
        self.layer_norm1 = nn.LayerNorm(sizes.vision_hidden)
        self.mlp = VisionMlp(sizes.vision_hidden, sizes.vision_inner)
        self.layer_norm2 = nn.LayerNorm(sizes.vision_hidden)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class VisionEmbeddings(nn.Module):
    def __init__(self, hidden: int):
        super().__init__()
        self.class_embedding = nn.Parameter(torch.randn(hidden) * 0.02)
        self.patch_embedding = nn.Conv2d(3, hidden, PATCH, PATCH, bias=False)
        self.position_embedding = nn.Embedding(IMAGE_TOKENS + 1, hidden)

    def forward(self, pixels: Tensor) -> Tensor:
        """As a matrix product over cut-out patches: much faster than a convolution."""
        b = pixels.shape[0]
        cut = pixels.view(b, 3, GRID, PATCH, GRID, PATCH).permute(0, 2, 4, 1, 3, 5)
        patches = F.linear(cut.reshape(b, IMAGE_TOKENS, -1), self.patch_embedding.weight.flatten(1))
        first = self.class_embedding.to(patches.dtype).expand(b, 1, -1)
        return torch.cat((first, patches), 1) + self.position_embedding.weight


class VisionTower(nn.Module):
    """CLIP's vision tower without the layer and the norm that LLaVA never uses."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.embeddings = VisionEmbeddings(sizes.vision_hidden)
        self.pre_layrnorm = nn.LayerNorm(sizes.vision_hidden)
        self.encoder = nn.Module()
        self.encoder.layers = nn.ModuleList(
            VisionLayer(sizes) for _ in range(sizes.vision_layers - 1)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        """Normalised pixels (b, 3, 336, 336) to features (b, 576, hidden)."""
        x = self.pre_layrnorm(self.embeddings(pixels))
        for layer in self.encoder.layers:  # type: ignore[union-attr]
            x = layer(x)
        return x[:, 1:]


class Projector(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.linear_1 = nn.Linear(sizes.vision_hidden, sizes.hidden)
        self.linear_2 = nn.Linear(sizes.hidden, sizes.hidden)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.gelu(self.linear_1(x)))


class RmsNorm(nn.Module):
    def __init__(self, size: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        wide = x.float()
        wide = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + self.eps)
        return (self.weight * wide).to(x.dtype)


class DecoderAttention(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.heads = sizes.heads
        self.q_proj = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.k_proj = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.v_proj = nn.Linear(sizes.hidden, sizes.hidden, bias=False)
        self.o_proj = nn.Linear(sizes.hidden, sizes.hidden, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Any) -> Tensor:
        weight = torch.cat([self.q_proj.weight, self.k_proj.weight, self.v_proj.weight])
        q, k, v = (_heads(part, self.heads) for part in F.linear(x, weight).chunk(3, -1))
        q, k = _rotated(q, cos, sin), _rotated(k, cos, sin)
        return self.o_proj(attend(q, k, v, mask).transpose(1, 2).flatten(2))


def _rotated(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    first, second = x.chunk(2, -1)
    return (x * cos + torch.cat((-second, first), -1) * sin).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor, mask: Any) -> Tensor:
    """Attention under a `BlockMask` (FlexAttention, on the GPU) or a boolean mask."""
    if isinstance(mask, Tensor):
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    from torch.nn.attention.flex_attention import flex_attention

    out = flex_attention(q, k, v, block_mask=mask)
    assert isinstance(out, Tensor)
    return out


class DecoderMlp(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.gate_proj = nn.Linear(sizes.hidden, sizes.inner, bias=False)
        self.up_proj = nn.Linear(sizes.hidden, sizes.inner, bias=False)
        self.down_proj = nn.Linear(sizes.inner, sizes.hidden, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        weight = torch.cat([self.gate_proj.weight, self.up_proj.weight])
        gate, up = F.linear(x, weight).chunk(2, -1)
        return self.down_proj(F.silu(gate) * up)


class DecoderLayer(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.self_attn = DecoderAttention(sizes)
        self.mlp = DecoderMlp(sizes)
        self.input_layernorm = RmsNorm(sizes.hidden, sizes.rms_norm_eps)
        self.post_attention_layernorm = RmsNorm(sizes.hidden, sizes.rms_norm_eps)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor, mask: Any) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin, mask)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    def __init__(self, sizes: Sizes):
        super().__init__()
        self.embed_tokens = nn.Embedding(VOCABULARY, sizes.hidden)
        self.layers = nn.ModuleList(DecoderLayer(sizes) for _ in range(sizes.layers))
        self.norm = RmsNorm(sizes.hidden, sizes.rms_norm_eps)
        self.head_size = sizes.hidden // sizes.heads
        self.rope_theta = sizes.rope_theta

    def forward(self, x: Tensor, positions: Tensor, mask: Any) -> Tensor:
        steps = torch.arange(0, self.head_size, 2, device=x.device).float() / self.head_size
        angles = positions[:, None, :, None].float() * self.rope_theta**-steps
        cos, sin = angles.cos().repeat(1, 1, 1, 2), angles.sin().repeat(1, 1, 1, 2)
        for layer in self.layers:
            x = layer(x, cos, sin, mask)
        return self.norm(x)


# What the heads say of each patch, and how many answers each has.
CLASSES = len(class_names()) + 2  # The names, a letter, nothing.
NOTHING_CLASS = CLASSES - 1
HEADS = {
    "class": CLASSES,
    "colour": len(THING_COLOURS),
    "letter": len(ALPHABET),
    "cell": len(CELLS),
    "number": MOST_THINGS + 1,
    "rank": max(MOST_THINGS, LONGEST_WORD),
    "offset": 2,
}


class Network(nn.Module):
    """Vision tower, projector, decoder and, for training alone, the heads."""

    def __init__(self, sizes: Sizes):
        super().__init__()
        self.sizes = sizes
        self.vision_tower = VisionTower(sizes)
        self.multi_modal_projector = Projector(sizes)
        self.language_model = Decoder(sizes)
        self.lm_head = nn.Linear(sizes.hidden, VOCABULARY, bias=False)
        self.heads = nn.Linear(sizes.vision_hidden, sum(HEADS.values()))
        self.likeness = nn.Parameter(torch.tensor(2.0))
        for module in self.modules():
            if isinstance(module, (nn.Linear, nn.Conv2d, nn.Embedding)):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, (nn.Linear,)) and module.bias is not None:
                nn.init.zeros_(module.bias)

    def sequence(self, ids: Tensor, image_at: int, features: Tensor) -> Tensor:
        """Embeddings (b, s, hidden): the text's, with the image's 576 put in at `image_at`."""
        text = self.language_model.embed_tokens(ids).to(features.dtype)
        return torch.cat((text[:, :image_at], features, text[:, image_at + IMAGE_TOKENS :]), 1)


def patch_targets(slots: Tensor, marks: Tensor, shown: Tensor) -> dict[str, Tensor]:
    """What the heads should say: marks of the slot that each patch shows (b, 576).

    -1 where a head has nothing to say; "offset" is float (b, 576, 2), in units of 56 pixels.
    """
    there = shown >= 0
    index = shown.clamp(min=0)[..., None]
    of_patch = marks.gather(1, index.expand(-1, -1, marks.shape[-1]))
    class_, colour, letter, cell, number, rank = of_patch.unbind(-1)
    # Sprites of the glyphs and shapes are the classes; all letters are one class.
    class_ = torch.where(there, class_, NOTHING_CLASS)
    missing = torch.full_like(class_, -1)
    targets = {"class": class_}
    for name, values in (
        ("colour", colour), ("letter", letter), ("cell", cell), ("number", number), ("rank", rank),
    ):  # fmt: skip
        targets[name] = torch.where(there, values, missing)
    centres = slots[:, :, :2].gather(1, index.expand(-1, -1, 2))
    at = (torch.arange(GRID, device=slots.device) + 0.5) * PATCH
    middles = torch.stack((at.repeat(GRID), at.repeat_interleave(GRID)), -1)
    targets["offset"] = (centres - middles) / 56
    return targets


def dense_loss(predicted: Tensor, targets: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
    """The heads' loss, and the share of patches on things whose class is right."""
    parts = dict(zip(HEADS, predicted.float().split(list(HEADS.values()), -1), strict=True))
    on_thing = targets["class"] != NOTHING_CLASS
    weight = torch.where(on_thing, 1.0, 0.1)
    each = F.cross_entropy(
        parts["class"].flatten(0, 1), targets["class"].flatten(), reduction="none"
    )
    loss = (each.view_as(weight) * weight).sum() / weight.sum()
    for name in ("colour", "letter", "cell", "number", "rank"):
        goal = targets[name].flatten()
        values = F.cross_entropy(parts[name].flatten(0, 1), goal.clamp(min=0), reduction="none")
        has = (goal >= 0).float()
        loss = loss + 0.5 * (values * has).sum() / (has.sum() + 1)
    off = (parts["offset"] - targets["offset"]).abs().sum(-1) * on_thing
    loss = loss + 0.5 * off.sum() / (on_thing.sum() + 1)
    right = (parts["class"].argmax(-1) == targets["class"]) & on_thing
    return loss, right.sum() / (on_thing.sum() + 1)


def likeness_loss(
    projected: Tensor, targets: Tensor, names: Tensor, scale: Tensor, sample: int = 4096
) -> Tensor:
    """Patches on a thing should lie near the mean embedding of its name's tokens.

    `projected` (b, 576, hidden), `targets` (b, 576) classes, `names` (classes, hidden).
    """
    flat = targets.flatten()
    named = flat < len(names)
    chance = torch.rand(len(flat), device=flat.device) * named
    index = chance.topk(min(sample, len(flat))).indices
    patches = F.normalize(projected.flatten(0, 1)[index].float(), dim=-1)
    nearness = patches @ F.normalize(names.float(), dim=-1).T * scale.exp()
    goal = flat[index]
    values = F.cross_entropy(nearness, goal.clamp(max=len(names) - 1), reduction="none")
    has = (goal < len(names)).float()
    return (values * has).sum() / (has.sum() + 1)


def parameters_in_millions(network: Network) -> float:
    """Without what is thrown away after training."""
    kept = [p.numel() for name, p in network.named_parameters() if not is_scaffold(name)]
    return sum(kept) / 1e6


def is_scaffold(name: str) -> bool:
    return name.startswith(("heads.", "likeness"))
