"""Renders the sprites: the glyphs, shapes and letters that scenes are composed of.

Needs Debian's fonts-noto-color-emoji, fonts-dejavu, fonts-liberation, fonts-roboto and
fonts-open-sans. What scenes must know of the sprites is kept beside this file, in
sprite_facts.json, so that a scene can be drawn up without any font.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import numpy as np
from catalogue import ALPHABET, COLOURS, FOLDER, SHAPES, glyphs
from PIL import Image, ImageDraw, ImageFont

CELL = 128
# The longest side of a drawing in its cell; the rim is empty, for smooth edges.
DRAWN = 124
COLUMNS = 32
SHEET = "sprites.png"
FACTS = FOLDER / "sprite_facts.json"
FONTS = Path("/usr/share/fonts/truetype")
EMOJI_FONT = FONTS / "noto/NotoColorEmoji.ttf"
LETTER_FONTS = (
    "dejavu/DejaVuSans-Bold.ttf",
    "dejavu/DejaVuSerif-Bold.ttf",
    "dejavu/DejaVuSansMono-Bold.ttf",
    "dejavu/DejaVuSans.ttf",
    "liberation/LiberationSans-Bold.ttf",
    "liberation/LiberationSerif-Bold.ttf",
    "liberation/LiberationMono-Bold.ttf",
    "liberation/LiberationSans-Regular.ttf",
    "liberation/LiberationSerif-Regular.ttf",
    "roboto/unhinted/RobotoTTF/Roboto-Black.ttf",
    "roboto/unhinted/RobotoTTF/Roboto-Bold.ttf",
    "open-sans/OpenSans-ExtraBold.ttf",
)


@dataclass(frozen=True)
class SpriteFacts:
    """What a scene must know of the sprites.

    `extents`: width and height with the longer one 1, per sprite. `main_colours`: the name of
    the colour that covers most of a glyph, or None. `stands_out`: the share of a glyph that can
    be distinguished from each colour. `look_alikes`: the most similar glyphs. Letters are per
    font and letter of the alphabet, in units of the height of a capital: the advance, the
    extents, and how far the middle is below the middle of a capital.
    """

    extents: list[tuple[float, float]]
    main_colours: list[str | None]
    stands_out: list[dict[str, float]]
    look_alikes: list[list[int]]
    first_letter: int
    letter_advances: list[list[float]]
    letter_extents: list[list[tuple[float, float]]]
    letter_drops: list[list[float]]

    @property
    def fonts(self) -> int:
        return len(self.letter_advances)


@cache
def sprite_facts() -> SpriteFacts:
    """The facts as they were when the sprites were rendered last."""
    return SpriteFacts(**json.loads(FACTS.read_text("utf-8")))


def load_sheet(folder: Path) -> np.ndarray:
    """The sprites as uint8 (n, 128, 128, 4), RGBA, not premultiplied."""
    with Image.open(folder / SHEET) as sheet:
        pixels = np.asarray(sheet.convert("RGBA"))
    rows, columns = pixels.shape[0] // CELL, pixels.shape[1] // CELL
    cells = pixels.reshape(rows, CELL, columns, CELL, 4).transpose(0, 2, 1, 3, 4)
    facts = sprite_facts()
    number = facts.first_letter + facts.fonts * len(ALPHABET)
    return np.ascontiguousarray(cells.reshape(-1, CELL, CELL, 4)[:number])


def render_sprites(folder: Path) -> None:
    """Write the sheet of all sprites into `folder` and the facts beside this file."""
    drawings = [_glyph(glyph.code_point) for glyph in glyphs()] + [_shape(s) for s in SHAPES]
    advances, extents, drops = [], [], []
    for name in LETTER_FONTS:
        letters = [_letter(FONTS / name, letter) for letter in ALPHABET]
        drawings += [drawing for drawing, _, _, _ in letters]
        advances.append([round(advance, 4) for _, advance, _, _ in letters])
        extents.append([(round(e[0], 4), round(e[1], 4)) for _, _, e, _ in letters])
        drops.append([round(drop, 4) for _, _, _, drop in letters])
    glyph_drawings = drawings[: len(glyphs())]
    facts = SpriteFacts(
        extents=[
            (round(d.width / max(d.size), 4), round(d.height / max(d.size), 4))
            for d in drawings[: len(glyphs()) + len(SHAPES)]
        ],
        main_colours=[
            _main_colour(drawing, glyph.name)
            for drawing, glyph in zip(glyph_drawings, glyphs(), strict=True)
        ],
        stands_out=[_stands_out(drawing) for drawing in glyph_drawings],
        look_alikes=_look_alikes(glyph_drawings),
        first_letter=len(glyphs()) + len(SHAPES),
        letter_advances=advances,
        letter_extents=extents,
        letter_drops=drops,
    )
    FACTS.write_text(json.dumps(asdict(facts), separators=(",", ":")) + "\n", "utf-8")
    rows = math.ceil(len(drawings) / COLUMNS)
    sheet = Image.new("RGBA", (COLUMNS * CELL, rows * CELL))
    for at, drawing in enumerate(drawings):
        sheet.paste(_in_cell(drawing), (at % COLUMNS * CELL, at // COLUMNS * CELL))
    folder.mkdir(parents=True, exist_ok=True)
    sheet.save(folder / SHEET, optimize=True)


def draw_sprite(number: int) -> np.ndarray:
    """One cell of the sheet by itself, a glyph or a shape."""
    if number < len(glyphs()):
        return np.asarray(_in_cell(_glyph(glyphs()[number].code_point)))
    return np.asarray(_in_cell(_shape(SHAPES[number - len(glyphs())])))


def _in_cell(drawing: Image.Image) -> Image.Image:
    scale = DRAWN / max(drawing.size)
    size = (max(1, round(drawing.width * scale)), max(1, round(drawing.height * scale)))
    cell = Image.new("RGBA", (CELL, CELL))
    scaled = _premultiplied_resize(drawing, size)
    cell.paste(scaled, ((CELL - size[0]) // 2, (CELL - size[1]) // 2))
    return cell


def _premultiplied_resize(drawing: Image.Image, size: tuple[int, int]) -> Image.Image:
    premultiplied = drawing.convert("RGBa").resize(size, Image.Resampling.LANCZOS)
    return premultiplied.convert("RGBA")


def _glyph(code_point: int) -> Image.Image:
    font = ImageFont.truetype(str(EMOJI_FONT), 109)  # The only size that it has.
    canvas = Image.new("RGBA", (176, 176))
    ImageDraw.Draw(canvas).text((16, 16), chr(code_point), font=font, embedded_color=True)
    return canvas.crop(canvas.getbbox())


def _shape(name: str) -> Image.Image:
    side = 4 * DRAWN
    canvas = Image.new("RGBA", (side, side))
    draw = ImageDraw.Draw(canvas)
    full = (0, 0, side - 1, side - 1)

    def polygon(points: list[tuple[float, float]]) -> None:
        draw.polygon([(x * side, y * side) for x, y in points], fill="white")

    match name:
        case "circle":
            draw.ellipse(full, fill="white")
        case "square":
            draw.rectangle(full, fill="white")
        case "rectangle":
            draw.rectangle((0, 0.24 * side, side, 0.76 * side), fill="white")
        case "oval":
            draw.ellipse((0, 0.21 * side, side, 0.79 * side), fill="white")
        case "semicircle":
            draw.pieslice(full, 180, 360, fill="white")
        case "ring":
            draw.ellipse(full, fill="white")
            hole = 0.24 * side
            draw.ellipse((hole, hole, side - hole, side - hole), fill=(0, 0, 0, 0))
        case "triangle":
            polygon([(0.5, 0.02), (1, 0.9), (0, 0.9)])
        case "diamond":
            polygon([(0.5, 0), (0.86, 0.5), (0.5, 1), (0.14, 0.5)])
        case "star":
            polygon(_on_circle(5, (0.5, 0.21)))
        case "pentagon":
            polygon(_on_circle(5))
        case "hexagon":
            polygon(_on_circle(6))
        case "plus sign":
            draw.rectangle((0.34 * side, 0, 0.66 * side, side), fill="white")
            draw.rectangle((0, 0.34 * side, side, 0.66 * side), fill="white")
        case "heart":
            polygon(_heart())
        case _:
            raise ValueError(name)
    return canvas.crop(canvas.getbbox())


def _on_circle(corners: int, radii: tuple[float, ...] = (0.5,)) -> list[tuple[float, float]]:
    steps = corners * len(radii)
    turns = [2 * math.pi * i / steps - math.pi / 2 for i in range(steps)]
    return [
        (0.5 + radii[i % len(radii)] * math.cos(t), 0.5 + radii[i % len(radii)] * math.sin(t))
        for i, t in enumerate(turns)
    ]


def _heart() -> list[tuple[float, float]]:
    def height(t: float) -> float:
        return 13 * math.cos(t) - 5 * math.cos(2 * t) - 2 * math.cos(3 * t) - math.cos(4 * t)

    turns = [2 * math.pi * i / 120 for i in range(120)]
    return [(0.5 + 16 * math.sin(t) ** 3 / 34, 0.45 - height(t) / 34) for t in turns]


def _letter(path: Path, letter: str) -> tuple[Image.Image, float, tuple[float, float], float]:
    """The drawing, and in capital heights: its advance, extents, and the drop of its middle."""
    font = ImageFont.truetype(str(path), 240)
    _, top, _, bottom = font.getbbox("H", anchor="ls")
    capital, middle = bottom - top, (top + bottom) / 2
    canvas = Image.new("RGBA", (480, 480))
    ImageDraw.Draw(canvas).text((100, 340), letter, font=font, fill="white", anchor="ls")
    box = canvas.getbbox()
    if box is None:
        raise ValueError(f"{path} has no {letter}")
    drop = (box[1] + box[3]) / 2 - 340 - middle
    extents = ((box[2] - box[0]) / capital, (box[3] - box[1]) / capital)
    return canvas.crop(box), font.getlength(letter) / capital, extents, drop / capital


def _opaque_pixels(drawing: Image.Image) -> np.ndarray:
    pixels = np.asarray(drawing.convert("RGBA"), np.float32).reshape(-1, 4)
    return pixels[pixels[:, 3] > 160, :3]


def _main_colour(drawing: Image.Image, name: str) -> str | None:
    """The colour in the name, else the one that covers three fifths of the drawing."""
    for colour in COLOURS:
        if name.startswith(colour + " "):
            return colour
    pixels = Image.fromarray(_opaque_pixels(drawing).astype(np.uint8)[None]).convert("HSV")
    named = [_colour_name(*hsv) for hsv in np.asarray(pixels)[0].tolist()[::7]]
    best = max(set(named), key=named.count)
    return best if named.count(best) > 0.6 * len(named) else None


def _colour_name(hue: int, saturation: int, value: int) -> str:
    """The name of a colour; hue, saturation and value are 0 to 255."""
    if value < 72:
        return "black"
    if saturation < 46:
        return "white" if value > 218 else "grey"
    if hue < 9 or hue > 244:
        return "red" if saturation > 128 or value < 190 else "pink"
    if hue < 47:
        if value < 168:
            return "brown"
        return "orange" if hue < 28 else "yellow"
    if hue < 117:
        return "green"
    if hue < 182:
        return "light blue" if saturation < 125 and value > 170 else "blue"
    return "purple" if hue < 212 or value < 150 else "pink"


def _stands_out(drawing: Image.Image) -> dict[str, float]:
    pixels = _opaque_pixels(drawing)
    return {
        name: round(float((np.linalg.norm(pixels - np.array(rgb), axis=1) > 75).mean()), 3)
        for name, rgb in COLOURS.items()
    }


def _look_alikes(drawings: list[Image.Image], number: int = 6) -> list[list[int]]:
    grey = Image.new("RGBA", (CELL, CELL), (128, 128, 128, 255))
    flat = [
        Image.alpha_composite(grey, _in_cell(d)).convert("RGB").resize((24, 24)) for d in drawings
    ]
    rows = np.stack([np.asarray(image, np.float32).ravel() for image in flat])
    squares = (rows**2).sum(1)
    distances = squares[:, None] + squares - 2 * rows @ rows.T
    np.fill_diagonal(distances, np.inf)
    return [[int(i) for i in np.argsort(row)[:number]] for row in distances]
