"""`python packaging/train_built_in_model VERB`: how the built-in model is made and measured."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
sys.path.append(str(ROOT))
MODEL = ROOT / "resources" / "built_in_model"
ATLAS = ROOT / ".atlas"
TRAINING = ROOT / ".training"


def main() -> int:
    arguments = _parser().parse_args()
    return arguments.verb(arguments) or 0


def _sprites(arguments: argparse.Namespace) -> None:
    from sprites import render_sprites

    render_sprites(arguments.atlas)


def _tokenizer(arguments: argparse.Namespace) -> None:
    from tokens import train_tokenizer

    train_tokenizer(arguments.output)


def _vocabulary(arguments: argparse.Namespace) -> None:
    from vocabulary import write_vocabulary

    write_vocabulary(arguments.output)


def _train(arguments: argparse.Namespace) -> None:
    from training import Plan, Trainer

    mix = json.loads(arguments.mix) if arguments.mix else None
    plan = Plan(
        atlas=arguments.atlas, tokenizer=arguments.tokenizer, output=arguments.output,
        start=arguments.start, device=arguments.device, dense_seconds=arguments.dense_seconds,
        seconds=arguments.seconds, rows=arguments.rows, length=arguments.length,
        workers=arguments.workers, matrix_rate=arguments.matrix_rate,
        other_rate=arguments.other_rate, seed=arguments.seed, tiny=arguments.tiny,
        steps=arguments.steps, attention=arguments.attention, mix=mix,
    )  # fmt: skip
    Trainer(plan).train()


def _export(arguments: argparse.Namespace) -> None:
    import torch
    from export import export
    from network import Network, Sizes

    network = Network(Sizes())
    network.load_state_dict(torch.load(arguments.start, map_location="cpu", weights_only=True))
    export(network, arguments.tokenizer, arguments.output)


def _measure(arguments: argparse.Namespace) -> None:
    from measuring import measure, print_table

    results = measure(
        arguments.model, arguments.atlas, seed=arguments.seed, per_task=arguments.per_task,
        device=arguments.device, show_wrong=arguments.show_wrong,
        most_seconds=arguments.most_seconds,
    )  # fmt: skip
    print_table(results)
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=1) + "\n", "utf-8")


def _samples(arguments: argparse.Namespace) -> None:
    from samples import write_samples

    write_samples(arguments.atlas, arguments.output, arguments.truth)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="train_built_in_model", description=__doc__)
    verbs = parser.add_subparsers(required=True)

    sprites = verbs.add_parser("sprites", help="render glyphs, shapes and letters (needs fonts)")
    sprites.add_argument("--atlas", type=Path, default=ATLAS)
    sprites.set_defaults(verb=_sprites)

    tokenizer = verbs.add_parser("tokenizer", help="train the tokenizer")
    tokenizer.add_argument("--output", type=Path, default=MODEL)
    tokenizer.set_defaults(verb=_tokenizer)

    vocabulary = verbs.add_parser("vocabulary", help="write the words of the questions")
    vocabulary.add_argument("--output", type=Path, default=MODEL / "vocabulary.txt")
    vocabulary.set_defaults(verb=_vocabulary)

    train = verbs.add_parser("train", help="train the model (one H200: 20 minutes)")
    _add_train_options(train)
    train.set_defaults(verb=_train)

    export = verbs.add_parser("export", help="write the model folder from a state.pt")
    export.add_argument("start", type=Path)
    export.add_argument("--tokenizer", type=Path, default=MODEL)
    export.add_argument("--output", type=Path, default=MODEL)
    export.set_defaults(verb=_export)

    measure = verbs.add_parser("measure", help="fresh scenes, a table and JSON")
    measure.add_argument("--model", type=Path, default=MODEL)
    measure.add_argument("--atlas", type=Path, default=ATLAS)
    measure.add_argument("--seed", type=int, default=1)
    measure.add_argument("--per-task", type=int, default=500)
    measure.add_argument("--device", default="cpu")
    measure.add_argument("--json", type=Path)
    measure.add_argument("--most-seconds", type=float, default=1e9)
    measure.add_argument("--show-wrong", type=int, default=0, help="wrong answers to print a task")
    measure.set_defaults(verb=_measure)

    samples = verbs.add_parser("samples", help="draw the sample pictures and their truth")
    samples.add_argument("--atlas", type=Path, default=ATLAS)
    samples.add_argument("--output", type=Path, default=ROOT / "resources" / "samples")
    samples.add_argument("--truth", type=Path, default=ROOT / "tests/support/samples_truth.json")
    samples.set_defaults(verb=_samples)
    return parser


def _add_train_options(train: argparse.ArgumentParser) -> None:
    train.add_argument("--atlas", type=Path, default=ATLAS)
    train.add_argument("--tokenizer", type=Path, default=MODEL)
    train.add_argument("--output", type=Path, default=TRAINING)
    train.add_argument("--start", type=Path, help="a state.pt to go on from")
    train.add_argument("--device", default="cuda")
    train.add_argument("--seconds", type=float, default=1200)
    train.add_argument("--dense-seconds", type=float, default=30)
    train.add_argument("--rows", type=int, default=256)
    train.add_argument("--length", type=int, default=1280)
    train.add_argument("--workers", type=int, default=14)
    train.add_argument("--matrix-rate", type=float, default=0.02)
    train.add_argument("--other-rate", type=float, default=3e-3)
    train.add_argument("--seed", type=int, default=1)
    train.add_argument("--steps", type=int, help="end each phase after so many steps")
    train.add_argument("--tiny", action="store_true", help="toy sizes, to try the recipe")
    train.add_argument("--attention", choices=("flex", "dense"), default="flex")
    train.add_argument("--mix", help="JSON: shares of tasks, in place of the usual ones")


if __name__ == "__main__":
    sys.exit(main())
