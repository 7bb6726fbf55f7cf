"""Measures a model folder on fresh scenes, by the very ids and pixels that the app uses.

Every scene is drawn from the given seed, painted at 672 pixels, half of them stored as JPEG,
padded and scaled by `core.llava.prompt`, and answered greedily by transformers' own `generate`.
Printed words are ones that training never shows.
"""

from __future__ import annotations

import io
import multiprocessing
import os
import platform
import random
import re
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import answers
import conversations
import numpy as np
import texts
import torch
import transformers
from catalogue import SHAPES, THING_COLOURS, glyphs
from exchanges import Exchange
from packed_scenes import pack
from pictures import Renderer, crop_to_content
from PIL import Image
from placing import MEASURING_SEEDS, draw_scene
from scenes import Scene
from sprites import load_sheet, sprite_facts
from torch import Tensor
from transformers import LlavaForConditionalGeneration

from core.llava.prompt import conversation, input_ids
from core.llava.tokenizer import IMAGE_TOKEN_INDEX, Tokenizer
from core.picture.pixel_values import pixel_values
from core.transcript import Turn

SIDE = 672
MOST_TOKENS = 220
PLAIN_TASKS = (
    "caption", "alt text", "tags", "list", "name", "see", "where all", "where", "what is at",
    "beside", "relation", "is at", "colour", "is colour", "colours", "background",
    "is background", "count all", "kind", "count kind", "extreme", "is there text",
    "about the word", "only drawn", "about itself", "out of scope", "small talk",
)  # fmt: skip


@dataclass
class Case:
    """A question to ask of a scene after earlier exchanges; `said` is the model's answer."""

    task: str
    scene: Scene
    before: tuple[Exchange, ...]
    question: str
    answer: str
    said: str = ""


# ---- what is asked ------------------------------------------------------------------------------


def draw_cases(seed: int, per_task: int, processes: int = 1) -> list[Case]:
    """The same cases for the same seed, drawn by several processes at once."""
    jobs = [(seed, per_task, number) for number in range(len(_makers()))]
    if processes == 1:
        return [case for job in jobs for case in _draw_task(job)]
    with multiprocessing.get_context("fork").Pool(processes) as pool:
        return [case for cases in pool.map(_draw_task, jobs, chunksize=1) for case in cases]


def _draw_task(job: tuple[int, int, int]) -> list[Case]:
    seed, per_task, number = job
    name, make = list(_makers().items())[number]
    rng = random.Random(f"{seed} {name}")
    at = MEASURING_SEEDS + (seed * 100 + number) * 10_000_000
    cases: list[Case] = []
    while len(cases) < per_task:
        if (case := make(rng, at)) is not None:
            cases.append(case)
        at += 1
    return cases


def _makers() -> dict[str, Callable[[random.Random, int], Case | None]]:
    makers: dict[str, Callable[[random.Random, int], Case | None]] = {
        "describe": lambda rng, at: _case(rng, at, "describe"),
        "unknown": lambda rng, at: _case(rng, at, _any_looking(rng), "unknown", "unknown"),
        "read": lambda rng, at: _case(rng, at, "read", "word", needs_word=True),
        "yes or no": lambda rng, at: _case(rng, at, "yes or no"),
        "follow-up": _follow_up_case,
        "asked first": lambda rng, at: _case(rng, at, _any_looking(rng), name="asked first"),
        "asked later": _later_case,
    }
    makers |= {f"count {n}": _counting(n) for n in range(6)}
    makers |= {
        task: (lambda rng, at, task=task: _case(rng, at, task, "word" if "word" in task else None))
        for task in PLAIN_TASKS
    }
    return makers


def _any_looking(rng: random.Random) -> str:
    tasks = [task for task in texts.MIX if task not in texts.WITHOUT_LOOKING]
    return rng.choices(tasks, [texts.MIX[task] for task in tasks])[0]


def _known_scene(rng: random.Random, at: int, style: str | None) -> Scene:
    style = style or rng.choices(("mixed", "groups", "word", "one"), (6, 2, 2, 1))[0]
    return draw_scene(at, sprite_facts(), style)


def _case(
    rng: random.Random,
    at: int,
    task: str,
    style: str | None = None,
    name: str | None = None,
    needs_word: bool = False,
) -> Case | None:
    scene = _known_scene(rng, at, style)
    made = texts.exchange(task, rng, scene)
    if made is None or (needs_word and scene.word is None):
        return None
    return Case(name or task, scene, (), made.question, made.answer)


def _counting(number: int) -> Callable[[random.Random, int], Case | None]:
    def make(rng: random.Random, at: int) -> Case | None:
        style = "groups" if number > 1 and rng.random() < 0.8 else "mixed"
        scene = draw_scene(at, sprite_facts(), style)
        made = texts.exchange("count", rng, scene)
        words = " one " if number == 1 else f"are {answers.NUMBERS[number]} "
        if made is None or words not in made.answer:
            return None
        return Case(f"count {number}", scene, (), made.question, made.answer)

    return make


def _follow_up_case(rng: random.Random, at: int) -> Case | None:
    scene = _known_scene(rng, at, None)
    said = conversations.conversation(rng, scene, rng.randint(2, 8))
    if said[-1].task != "follow-up":
        return None
    return Case("follow-up", scene, tuple(said[:-1]), said[-1].question, said[-1].answer)


def _later_case(rng: random.Random, at: int) -> Case | None:
    """An ordinary question after about a thousand tokens of conversation at most."""
    scene = _known_scene(rng, at, None)
    made = texts.exchange(_any_looking(rng), rng, scene)
    if made is None:
        return None
    before = tuple(conversations.conversation(rng, scene, rng.randint(3, 24)))
    return Case("asked later", scene, before, made.question, made.answer)


# ---- asking -------------------------------------------------------------------------------------


def picture_of(scene: Scene, renderer: Renderer, side: int = SIDE) -> Image.Image:
    """The scene as a picture without a frame, its longer side `side` pixels."""
    return pictures_of([scene], renderer, side)[0]


@torch.inference_mode()
def pictures_of(scenes: Sequence[Scene], renderer: Renderer, side: int = SIDE) -> list[Image.Image]:
    """Several at once; the same scenes in the same order give the same pictures."""
    random.seed(scenes[0].seed)
    torch.manual_seed(scenes[0].seed)
    packed = pack(scenes, sprite_facts().first_letter)
    slots, ground, _ = packed.to(renderer.device)
    painted = renderer.compose(slots, ground, packed.kinds, side)
    return [
        Image.fromarray(crop_to_content(picture, scene))
        for picture, scene in zip(painted, scenes, strict=True)
    ]


def _pixels(picture: Image.Image, number: int) -> np.ndarray:
    if number % 2:
        file = io.BytesIO()
        picture.save(file, "JPEG", quality=60 + number * 7 % 36)
        picture = Image.open(file).convert("RGB")
    return pixel_values(picture)


class Asker:
    """Answers many cases at once, greedily."""

    def __init__(self, folder: Path, device: str):
        self.device = torch.device(device)
        dtype = torch.float16 if self.device.type == "cuda" else torch.float32
        self.tokenizer = Tokenizer.load(folder)
        model = LlavaForConditionalGeneration.from_pretrained(folder, dtype=dtype)
        self.model = model.to(device).eval()  # type: ignore[arg-type]
        self.dtype = dtype

    @torch.inference_mode()
    def answer(self, cases: Sequence[Case], pixels: np.ndarray) -> list[str]:
        images = torch.from_numpy(pixels).to(self.device, self.dtype)
        vision = self.model.model.vision_tower(images, output_hidden_states=True)
        features = self.model.model.multi_modal_projector(vision.hidden_states[-2][:, 1:])
        embed = self.model.get_input_embeddings()
        rows: list[Tensor] = []
        for case, feature in zip(cases, features, strict=True):
            turns = [Turn(e.question, e.answer) for e in case.before] + [Turn(case.question)]
            ids = input_ids(conversation(turns), self.tokenizer)
            cut = ids.index(IMAGE_TOKEN_INDEX)
            before, after = (
                embed(torch.tensor(part, device=self.device))
                for part in (ids[:cut], ids[cut + 1 :])
            )
            rows.append(torch.cat((before, feature, after)))
        longest = max(map(len, rows))
        batch = torch.zeros(
            len(rows), longest, rows[0].shape[-1], device=self.device, dtype=self.dtype
        )
        mask = torch.zeros(len(rows), longest, dtype=torch.long, device=self.device)
        for at, row in enumerate(rows):
            batch[at, -len(row) :] = row
            mask[at, -len(row) :] = 1
        ids = self.model.generate(  # type: ignore[attr-defined]
            inputs_embeds=batch, attention_mask=mask, max_new_tokens=MOST_TOKENS, do_sample=False
        )
        return [self.tokenizer.decode(row).strip() for row in ids]


# ---- judging ------------------------------------------------------------------------------------


def _all_names() -> list[str]:
    shapes = [f"{colour} {shape}" for colour in THING_COLOURS for shape in SHAPES]
    return sorted([g.name for g in glyphs()] + shapes, key=len, reverse=True)


_PLACE = re.compile(
    r"(?:an?|another|The) ([\w\- ]+?)(?: is)? ((?:at the|on the|in the) (?:top left|top right|"
    r"bottom left|bottom right|top|bottom|left|right|middle))"
)


def placed_in(text: str) -> Counter[tuple[str, str]]:
    """What a description says is where."""
    return Counter((name, place) for name, place in _PLACE.findall(text) if "word" not in name)


def counted_in(text: str, known: Counter[str]) -> Counter[str]:
    """What a caption names, and how often: "two dogs" counts twice."""
    found: Counter[str] = Counter()
    plurals = {g.plural: g.name for g in glyphs()}
    plurals |= {f"{c} {s}s": f"{c} {s}" for c in THING_COLOURS for s in SHAPES}
    singles = set(_all_names())
    for part in re.split(r", | and (?!arrow|bolt|knife)", text.split(" on a ", maxsplit=1)[0]):
        words = part.split(" ", 1)
        if len(words) < 2:
            continue
        number, name = words[0].lower(), words[1]
        if number in answers.NUMBERS and name in plurals:
            found[plurals[name]] += answers.NUMBERS.index(number)
        elif name in singles:
            found[name] += 1
        elif name in known:
            found[name] += known[name]
    return found


def _share(part: float, whole: float) -> float:
    return round(part / whole, 4) if whole else 1.0


def judge(cases: Sequence[Case]) -> dict[str, dict[str, float]]:
    """Figures of each task; `whole` is the share of answers right to the letter."""
    by_task: dict[str, list[Case]] = {}
    for case in cases:
        by_task.setdefault(case.task, []).append(case)
    results: dict[str, dict[str, float]] = {}
    for task, group in by_task.items():
        whole = sum(case.said == case.answer for case in group)
        results[task] = {"n": len(group), "whole": _share(whole, len(group))}
    for task in ("describe", "caption"):
        if task in by_task:
            results[task] |= _naming_figures(by_task[task], with_places=task == "describe")
    if "yes or no" in by_task:
        results["yes or no"]["f1"] = _f1(by_task["yes or no"])
    for task in ("read", "background"):
        if task in by_task:
            results[task]["exact"] = results[task]["whole"]
    if "unknown" in by_task:
        group = by_task["unknown"]
        called = sum(case.said.startswith(answers.UNKNOWN[:20]) for case in group)
        results["unknown"]["called unknown"] = _share(called, len(group))
    looked = [c for c in cases if c.task in {"describe", "caption", "asked first"}]
    refused = sum(case.said.startswith(answers.UNKNOWN[:20]) for case in looked)
    results["known"] = {"n": len(looked), "refused wrongly": _share(refused, len(looked))}
    return results


def _naming_figures(group: Sequence[Case], with_places: bool) -> dict[str, float]:
    expected = named = invented = said = placed = 0
    for case in group:
        truth = Counter(t.name for t in case.scene.things)
        if with_places:
            places = placed_in(case.said)
            heard = Counter(dict.fromkeys(truth, 0))
            for (name, _), number in places.items():
                heard[name] += number
            right = Counter((t.name, answers.place(case.scene, t)) for t in case.scene.things)
            placed += (places & right).total()
        else:
            heard = counted_in(case.said, truth)
        expected += truth.total()
        named += (truth & heard).total()
        said += heard.total()
        invented += (heard - truth).total()
    figures = {"named": _share(named, expected), "invented": _share(invented, max(said, 1))}
    if with_places:
        figures["places"] = _share(placed, max(named, 1))
    return figures


def _f1(group: Sequence[Case]) -> float:
    yes = [case.answer.startswith("Yes") for case in group]
    said = [case.said.startswith("Yes") for case in group]
    both = sum(a and b for a, b in zip(yes, said, strict=True))
    return round(2 * both / max(1, sum(yes) + sum(said)), 4)


# ---- all of it ----------------------------------------------------------------------------------


def measure(
    folder: Path,
    atlas: Path,
    seed: int,
    per_task: int,
    device: str,
    show_wrong: int = 0,
    most_seconds: float = 1e9,
) -> dict[str, Any]:
    """The figures of every task, with how they were obtained.

    After `most_seconds` no more is asked, and what was answered by then is judged.
    """
    started = time.perf_counter()
    # Before the device is touched: processes are forked.
    cases = draw_cases(seed, per_task, processes=os.cpu_count() or 1)
    cases.sort(key=lambda case: sum(len(e.question) + len(e.answer) for e in case.before))
    renderer, asker = Renderer(load_sheet(atlas), device), Asker(folder, device)
    size = 640 if asker.device.type == "cuda" else 6
    with ThreadPoolExecutor() as pool:
        for at in range(0, len(cases), size):
            if time.perf_counter() - started > most_seconds:
                cases = cases[:at]
                break
            part = cases[at : at + size]
            painted = [
                picture
                for i in range(0, len(part), 40)
                for picture in pictures_of([c.scene for c in part[i : i + 40]], renderer)
            ]
            pixels = np.concatenate(list(pool.map(_pixels, painted, range(len(painted)))))
            for case, said in zip(part, asker.answer(part, pixels), strict=True):
                case.said = said
    results = judge(cases)
    for task in {case.task for case in cases} if show_wrong else ():
        wrong = [c for c in cases if c.task == task and c.said != c.answer][:show_wrong]
        for case in wrong:
            print(f"[{task}] {case.question!r}\n   right: {case.answer!r}\n   said:  {case.said!r}")
    on = torch.cuda.get_device_name() if asker.device.type == "cuda" else platform.processor()
    return {
        "seed": seed,
        "per_task": per_task,
        "device": f"{asker.device.type} {on}".strip(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "parameters": sum(p.numel() for p in asker.model.parameters()),
        "seconds": round(time.perf_counter() - started, 1),
        "tasks": results,
    }


def print_table(results: dict[str, Any]) -> None:
    print(f"seed {results['seed']}, {results['device']}, {results['seconds']} s")
    for task, figures in results["tasks"].items():
        shares = [f"{key} {100 * share:.1f} %" for key, share in figures.items() if key != "n"]
        print(f"{task:16} n {figures['n']:5}  {'  '.join(shares)}")
