"""Scenes become pictures: one renderer, on the GPU in bulk and on the CPU for samples.

`Renderer.compose` paints a batch of packed scenes at any resolution, `Renderer.labels` says what
each patch of the model's grid shows, `degrade` adds what cameras, JPEG and scaling do to pictures.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from packed_scenes import NOTHING, OUTSIDE, SLOTS
from scenes import MOST_THINGS, SIDE, UNKNOWN_KINDS, Scene
from sprites import CELL
from torch import Tensor

PATCHES = 24
PAD = (122, 116, 104)
MIP_LEVELS = 4


class Renderer:
    """Paints packed scenes from one atlas of premultiplied sprites with mip levels."""

    def __init__(self, sheet: np.ndarray, device: torch.device | str, compiles: bool = False):
        """`sheet` is that of `sprites.load_sheet`."""

        def compiled(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
            return torch.compile(function, dynamic=False) if compiles else function

        self._compiles = compiles
        self._background = compiled(_background)
        self._over = _over_in_parts if torch.device(device).type == "cpu" else compiled(_over)
        self._alpha = compiled(_alpha)
        colour = torch.from_numpy(sheet).to(device).permute(0, 3, 1, 2).float() / 255
        colour[:, :3] *= colour[:, 3:]
        levels, self.offsets, total = [], [], 0
        for level in range(MIP_LEVELS):
            if level:
                colour = F.avg_pool2d(colour, 2)
            bytes_ = (colour * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()
            levels.append(bytes_.view(torch.int32).reshape(-1))
            self.offsets.append(total)
            total += levels[-1].numel()
        self.texels = torch.cat(levels)
        self.offset_of_level = torch.tensor(self.offsets, device=device)
        self.device = device

    def compose(
        self,
        slots: Tensor,
        ground: Tensor,
        kinds: Sequence[int],
        side: int = SIDE,
        word_rows: int | None = None,
    ) -> Tensor:
        """Pictures (b, 3, side, side) in 0 to 1, before the frame.

        `kinds` are the unknown kinds of the rows, -1 for none. Only the first `word_rows` of the
        batch may have a printed word; None means any.
        """
        rows = len(slots) if word_rows is None else word_rows
        out = self._background(ground, side)
        for slot in self._in_use(slots, range(MOST_THINGS)):
            out = self._over(self.texels, self.offset_of_level, out, slots[:, slot])
        words = out[:rows]
        for slot in self._in_use(slots, range(MOST_THINGS, SLOTS)):
            words = self._over(self.texels, self.offset_of_level, words, slots[:rows, slot])
        out = torch.cat((words, out[rows:]))
        for kind, name in enumerate(UNKNOWN_KINDS):
            if chosen := [row for row, value in enumerate(kinds) if value == kind]:
                index = torch.tensor(chosen, device=out.device)
                out[index] = DISGUISES[name](out[index]).clamp(0, 1)
        return out

    def _in_use(self, slots: Tensor, among: range) -> Sequence[int]:
        """The slots that any picture fills; in training all, for to look would stall the GPU."""
        return among if self._compiles else [i for i in among if (slots[:, i, 0] > OUTSIDE).any()]

    def labels(self, slots: Tensor, ground: Tensor) -> Tensor:
        """Which slot covers most of each patch, int64 (b, 576); -1 for none."""
        seen: list[Tensor] = []
        for slot in range(SLOTS):
            alpha = self._alpha(self.texels, self.offset_of_level, slots[:, slot])
            seen = [part * (1 - alpha) for part in seen]
            seen.append(alpha)
        shares = F.avg_pool2d(torch.stack(seen, 1), 4).flatten(2)
        best, which = shares.max(1)
        return torch.where((best > 0.12) & (ground[:, 15:] < 0), which, NOTHING)


def _grid(side: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Where the middles of the pixels lie in the square of 336."""
    at = (torch.arange(side, device=device, dtype=torch.float32) + 0.5) * (SIDE / side)
    return at[None, None, :], at[None, :, None]


def _sample(
    texels: Tensor, offsets: Tensor, slot: Tensor, x: Tensor, y: Tensor, scale: float
) -> list[Tensor]:
    """Red, green, blue, alpha (premultiplied, tinted) of one slot at each point."""
    at = slot[:, :, None, None]
    dx, dy = x - at[:, 0], y - at[:, 1]
    side, cos, sin = at[:, 2], at[:, 3], at[:, 4]
    level = torch.floor(torch.log2(CELL / (side * scale)) + 0.5).clamp(0, MIP_LEVELS - 1).long()
    cells = torch.bitwise_right_shift(torch.full_like(level, CELL), level)
    u = ((dx * cos + dy * sin) / side + 0.5) * cells - 0.5
    v = ((dy * cos - dx * sin) / side + 0.5) * cells - 0.5
    left, top = torch.floor(u), torch.floor(v)
    base = offsets[level] + at[:, 5].long() * cells * cells
    channels = [torch.zeros_like(u) for _ in range(4)]
    for step_x in (0, 1):
        for step_y in (0, 1):
            column, row = left + step_x, top + step_y
            inside = (column >= 0) & (column < cells) & (row >= 0) & (row < cells)
            weight = (1 - (u - column).abs()) * (1 - (v - row).abs())
            weight = torch.where(inside, weight, 0.0) / 255
            index = base + torch.where(inside, row * cells + column, 0).long()
            texel = texels[index]
            for channel in range(4):
                part = torch.bitwise_and(torch.bitwise_right_shift(texel, 8 * channel), 255)
                channels[channel] = channels[channel] + part * weight
    tint = [at[:, 6], at[:, 7], at[:, 8]]
    return [channels[0] * tint[0], channels[1] * tint[1], channels[2] * tint[2], channels[3]]


def _over(texels: Tensor, offsets: Tensor, out: Tensor, slot: Tensor) -> Tensor:
    """One slot painted over what is there already, (b, 3, side, side)."""
    x, y = _grid(out.shape[-1], out.device)
    drawn = _sample(texels, offsets, slot, x, y, out.shape[-1] / SIDE)
    return out * (1 - drawn[3])[:, None] + torch.stack(drawn[:3], 1)


def _over_in_parts(texels: Tensor, offsets: Tensor, out: Tensor, slot: Tensor) -> Tensor:
    """The same within `out`, where the slot lies in each picture: sooner on a processor."""
    pixels = out.shape[-1] / SIDE
    x, y = _grid(out.shape[-1], out.device)
    for picture, row in zip(out, slot, strict=True):
        middle_x, middle_y, side = row[:3].tolist()
        # From the middle of the cell to its corners, and a texel of its smallest level.
        reach = side * (0.5**0.5 + 0.1)
        left, top, right, bottom = (
            min(max(0, math.floor(at * pixels)), out.shape[-1])
            for at in (
                middle_x - reach, middle_y - reach, middle_x + reach + 1, middle_y + reach + 1
            )
        )  # fmt: skip
        if left < right and top < bottom:
            part, columns, rows = (
                picture[:, top:bottom, left:right],
                x[..., left:right],
                y[:, top:bottom],
            )
            drawn = _sample(texels, offsets, row[None], columns, rows, pixels)
            part.copy_(part * (1 - drawn[3]) + torch.cat(drawn[:3]))
    return out


def _alpha(texels: Tensor, offsets: Tensor, slot: Tensor) -> Tensor:
    """How much one slot covers at four by four points of each patch, (b, 96, 96)."""
    x, y = _grid(4 * PATCHES, slot.device)
    return _sample(texels, offsets, slot, x, y, 1.0)[3]


def _background(ground: Tensor, side: int) -> Tensor:
    x, y = _grid(side, ground.device)
    pixel = SIDE / side
    at = ground[:, :, None, None]
    kind, angle, period = at[:, 0], at[:, 7], at[:, 8]
    phase_x, phase_y = at[:, 9], at[:, 10]
    along = x * torch.cos(angle) + y * torch.sin(angle)

    def square_wave(position: Tensor, length: Tensor) -> Tensor:
        """1 in one half of each period, 0 in the other, with soft edges a pixel wide."""
        saw = (position / length) - torch.floor(position / length)
        from_edge = torch.minimum((saw - 0.5).abs(), torch.minimum(saw, 1 - saw)) * length
        step = torch.where(saw < 0.5, 1.0, -1.0) * (from_edge / pixel).clamp(max=0.5)
        return step + 0.5

    stripes = square_wave(along + phase_x, period)
    across = square_wave(x + phase_x, period * 1.3)
    down = square_wave(y + phase_y, period * 1.3)
    checks = across * down + (1 - across) * (1 - down)
    lattice = period * 0.8
    off_x = (x + phase_x) / lattice - torch.floor((x + phase_x) / lattice) - 0.5
    off_y = (y + phase_y) / lattice - torch.floor((y + phase_y) / lattice) - 0.5
    radius = torch.sqrt(off_x**2 + off_y**2) * lattice
    dots = (0.5 + (radius - 0.27 * lattice) / pixel).clamp(0, 1)
    mix = torch.where(kind == 3, stripes, torch.where(kind == 4, checks, dots))
    mix = torch.where(kind >= 3, mix, 1.0)
    middle = SIDE / 2
    slope = ((x - middle) * torch.cos(angle) + (y - middle) * torch.sin(angle)) / SIDE
    shade = torch.where(kind == 1, 1 + 0.34 * slope.clamp(-0.6, 0.6), 1.0)
    grain = torch.sin(torch.floor(x / 2) * 12.9898 + torch.floor(y / 2) * 78.233 + phase_x)
    grain = grain * 43758.5453 - torch.floor(grain * 43758.5453) - 0.5
    shade = shade + torch.where(kind == 2, 0.26 * grain, 0.0)
    first, second = at[:, 1:4], at[:, 4:7]
    mix = mix[:, None]
    return ((first * mix + second * (1 - mix)) * shade[:, None]).clamp(0, 1)


def frame(pictures: Tensor, ground: Tensor) -> Tensor:
    """The pictures with the model's pad colour around their content."""
    side = pictures.shape[-1]
    x, y = _grid(side, pictures.device)
    at = ground[:, :, None, None]
    reach = side / SIDE
    inside = ((x - at[:, 11]) * reach + 0.5).clamp(0, 1) * ((at[:, 13] - x) * reach + 0.5).clamp(
        0, 1
    )
    inside = inside * ((y - at[:, 12]) * reach + 0.5).clamp(0, 1)
    inside = (inside * ((at[:, 14] - y) * reach + 0.5).clamp(0, 1))[:, None]
    pad = torch.tensor(PAD, device=pictures.device).view(1, 3, 1, 1) / 255
    return pictures * inside + pad * (1 - inside)


def _noise(like: Tensor, channels: int, finest: int) -> Tensor:
    """Smooth noise of several octaves, about 0 with spread 1; (b, channels, side, side)."""
    side = like.shape[-1]
    total = torch.zeros(len(like), channels, side, side, device=like.device)
    cells, strength = random.choice((3, 4, 6)), 1.0
    fall = random.uniform(0.45, 1.0)
    while cells <= finest:
        high = max(2, int(cells * random.choice((0.3, 1, 1, 1, 3))))
        coarse = torch.randn(len(like), channels, high, cells, device=like.device)
        total += strength * F.interpolate(coarse, (side, side), mode="bicubic")
        cells, strength = cells * 2, strength * fall
    return total / total.std((2, 3), keepdim=True)


def _random_colours(like: Tensor, number: int) -> Tensor:
    """Colours that keep together, as in photographs; (b, number, 3)."""
    base = torch.rand(len(like), 1, 3, device=like.device)
    spread = random.uniform(0.22, 0.5)
    return (base + spread * torch.randn(len(like), number, 3, device=like.device)).clamp(0, 1)


def _texture(pictures: Tensor) -> Tensor:
    colours = _random_colours(pictures, 3)[..., None, None]
    mix = torch.sigmoid(_noise(pictures, 2, random.choice((24, 48, 96, 168))) * 1.6)
    first = colours[:, 0] * mix[:, :1] + colours[:, 1] * (1 - mix[:, :1])
    return first * mix[:, 1:] + colours[:, 2] * (1 - mix[:, 1:])


def _blobs(pictures: Tensor) -> Tensor:
    field = _noise(pictures, 3, 6) * random.uniform(0.15, 0.35) + 0.5
    return field + 0.03 * torch.randn_like(field) * random.random()


def _voronoi(pictures: Tensor) -> Tensor:
    side, number = pictures.shape[-1], random.choice((12, 24, 48, 72))
    points = torch.rand(len(pictures), number, 2, device=pictures.device)
    colours = _random_colours(pictures, number)
    x, y = _grid(side, pictures.device)
    warp = 0.05 * _noise(pictures, 2, 12) * random.choice((0, 1))
    dx = (x / SIDE + warp[:, 0])[:, None] - points[:, :, 0, None, None]
    dy = (y / SIDE + warp[:, 1])[:, None] - points[:, :, 1, None, None]
    which = (dx * dx + dy * dy).argmin(1)
    flat = which.flatten(1)[..., None].expand(-1, -1, 3)
    return colours.gather(1, flat).transpose(1, 2).reshape(len(pictures), 3, side, side) + (
        0.06 * _noise(pictures, 1, 96) * random.choice((0, 1))
    )


def _shuffled(pictures: Tensor) -> Tensor:
    side = pictures.shape[-1]
    blocks = random.choice((14, 21, 28))
    size = side // blocks
    cut = F.unfold(pictures[..., : size * blocks, : size * blocks], size, stride=size)
    order = torch.randperm(cut.shape[-1], device=pictures.device)
    mixed = F.fold(cut[..., order], size * blocks, size, stride=size)
    return F.interpolate(mixed, (side, side)) if size * blocks != side else mixed


def _softened(pictures: Tensor) -> Tensor:
    return pictures + 0.05 * _noise(pictures, 1, 96) * random.choice((0, 1))


def _crowd(pictures: Tensor) -> Tensor:
    side, tiles = pictures.shape[-1], random.choice((7, 9, 12))
    small = F.interpolate(pictures, (side // tiles, side // tiles), mode="area")
    rows = []
    for _ in range(tiles):
        row = [small[torch.randperm(len(small), device=small.device)] for _ in range(tiles)]
        rows.append(torch.cat([tile.flip(3) if random.random() < 0.5 else tile for tile in row], 3))
    return F.interpolate(torch.cat(rows, 2), (side, side), mode="bilinear")


def _photo(pictures: Tensor) -> Tensor:
    """A sky, a ground and soft-edged lit masses: what a landscape or a room comes down to."""
    side = pictures.shape[-1]
    x, y = _grid(side, pictures.device)
    colours = _random_colours(pictures, 8)[..., None, None]
    horizon = 0.2 + 0.6 * torch.rand(len(pictures), 1, 1, 1, device=pictures.device)
    line = (y / SIDE)[:, None] + 0.06 * _noise(pictures, 1, 12)
    below = torch.sigmoid((line - horizon) * random.choice((12, 60, 200)))
    ground = colours[:, 1] * (1 + 0.3 * _noise(pictures, 1, random.choice((48, 96, 168))))
    sky = colours[:, 0] * (1.2 - 0.4 * (y / SIDE)[:, None]) + 0.05 * _noise(pictures, 1, 24)
    out = sky * (1 - below) + ground * below
    for at in range(random.randint(1, 6)):
        centre = torch.rand(len(pictures), 2, 1, 1, device=pictures.device)
        radius = 0.06 + 0.25 * torch.rand(len(pictures), 2, 1, 1, device=pictures.device)
        dx, dy = (x / SIDE - centre[:, 0]) / radius[:, 0], (y / SIDE - centre[:, 1]) / radius[:, 1]
        edge = 1 - dx**2 - dy**2 + 0.35 * _noise(pictures, 1, 24)[:, 0]
        mask = torch.sigmoid(edge * random.choice((4, 14, 40)))[:, None]
        light = 1 + 0.5 * (dx + dy)[:, None].clamp(-1, 1) + 0.15 * _noise(pictures, 1, 96)
        out = out * (1 - mask) + (colours[:, 2 + at] * light) * mask
    return out


def _mosaic(pictures: Tensor) -> Tensor:
    side, blocks = pictures.shape[-1], random.choice((7, 9, 12))
    small = F.interpolate(pictures, (blocks, blocks), mode="area")
    small = small + 0.2 * torch.randn_like(small) * random.choice((0, 1))
    return F.interpolate(
        small, (side, side), mode=random.choice(("nearest", "bilinear", "bicubic"))
    )


# Pictures in which nothing known can be made out, by kind.
DISGUISES: dict[str, Callable[[Tensor], Tensor]] = {
    "texture": _texture, "blobs": _blobs, "voronoi": _voronoi, "shuffled": _shuffled,
    "zoom": _softened, "crowd": _crowd, "photo": _photo, "mosaic": _mosaic,
}  # fmt: skip

_DCT = torch.tensor(
    [
        [math.cos((2 * x + 1) * u * math.pi / 16) * (math.sqrt(1 / 8) if u == 0 else 0.5)
         for x in range(8)]
        for u in range(8)
    ]
)  # fmt: skip


def degrade(pictures: Tensor, ground: Tensor, chance: Tensor, noise: Tensor) -> Tensor:
    """What happens to real files: contrast, blur by scaling, JPEG's quantisation, grain.

    `chance` is uniform (b, 8); `noise` is normal, like the pictures. Every third picture of the
    batch goes through JPEG. The frame stays exact.
    """
    at = chance[:, :, None, None, None]
    gain = 1 + 0.1 * (at[:, 0] - 0.5)
    out = (pictures - 0.5) * gain + 0.5 + 0.05 * (at[:, 1] - 0.5)
    soft = F.avg_pool2d(F.pad(out, (1, 1, 1, 1), mode="replicate"), 3, 1)
    out = out + (soft - out) * (1.5 * at[:, 2] - 0.5).clamp(0, 1)
    out = out + noise * (0.03 * (2 * at[:, 5] - 1).clamp(0, 1))
    out[::3] = _quantised(out[::3], at[::3, 3])
    return frame(out.clamp(0, 1), ground)


def _quantised(pictures: Tensor, strength: Tensor) -> Tensor:
    """JPEG's blocks: waves of 8 by 8 pixels rounded, the fine ones more coarsely."""
    batch, _, side, _ = pictures.shape
    dct = _DCT.to(pictures)
    tiles = pictures.reshape(batch, 3, side // 8, 8, side // 8, 8)
    waves = torch.einsum("ux,bcrxsy,vy->bcrusv", dct, tiles, dct)
    rank = torch.arange(8, device=pictures.device)
    coarse = (1 + rank.view(8, 1, 1) + rank) * 0.03 * strength[..., None, None]
    coarse = coarse.clamp(min=1e-4)
    tiles = torch.einsum("ux,bcrusv,vy->bcrxsy", dct, torch.round(waves / coarse) * coarse, dct)
    return tiles.reshape(pictures.shape)


MEAN = (0.48145466, 0.4578275, 0.40821073)
STD = (0.26862954, 0.26130258, 0.27577711)


def normalise(pictures: Tensor) -> Tensor:
    """CLIP's normalisation of pictures in 0 to 1."""
    mean = torch.tensor(MEAN, device=pictures.device).view(1, 3, 1, 1)
    return (pictures - mean) / torch.tensor(STD, device=pictures.device).view(1, 3, 1, 1)


def crop_to_content(picture: Tensor, scene: Scene) -> np.ndarray:
    """The picture without the frame, uint8 (height, width, 3)."""
    reach = picture.shape[-1] / SIDE
    left, top, right, bottom = (round(edge * reach) for edge in scene.content)
    inside = picture[:, top:bottom, left:right].clamp(0, 1)
    return (inside * 255).round().to(torch.uint8).permute(1, 2, 0).cpu().numpy()
