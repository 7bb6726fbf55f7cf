"""The command line's arguments, parsed into typed options; nothing here does what they ask for."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from core.batch import BatchOptions, Other, OtherKind
from core.captions.formats import SEPARATORS, CaptionFormat
from core.errors import StoreError
from core.files import exists
from core.model_reference import ServerModel, folder_named
from core.terminal.modes import Mode, mode_of, refusal
from core.terminal.parser import PROMPT, build_parser
from core.terminal.presets import apply_preset, known_presets
from core.transcript import ModelChoice, Precision, Sampling
from core.workspace import read_vocabulary


@dataclass(frozen=True)
class FolderRunOptions:
    """A folder run. `asked` is what the command line says of it, with defaults for the rest;
    `given` names the options that are on the command line, by their `dest`. `cards` are the devices
    to use, () standing for all."""

    asked: BatchOptions
    given: frozenset[str]
    slots: int | None
    cards: tuple[str, ...]
    resumes: bool
    retries_failed: bool
    undoes: bool
    evidence: Path | None

    @property
    def begun(self) -> BatchOptions | None:
        """Returns what a new run is to do; None if nothing is to be written anew."""
        return self.asked if self.asked.written else None

    @property
    def continues(self) -> bool:
        """Returns whether an earlier run is asked for."""
        return self.resumes or self.retries_failed or self.undoes


@dataclass(frozen=True)
class CaptionOptions:
    """`onlooker caption`. `folder_run` is None if captions go to standard output; `job` is then
    what a preset or a check makes of them, None for the plain answer to `prompt`."""

    paths: tuple[Path, ...]
    prompt: str
    note: str
    choice: ModelChoice
    sampling: Sampling
    beginning: str
    is_recursive: bool
    asks_together: bool
    prints_json: bool
    trace: Path | None
    evidence: Path | None
    folder_run: FolderRunOptions | None
    job: BatchOptions | None
    sends_metadata: bool = False


@dataclass(frozen=True)
class BenchOptions:
    """`onlooker bench`. `slots` are the numbers of slots to measure; None for the usual ones.
    `cards` are the devices to use together, () standing for all."""

    choice: ModelChoice
    random_weights: str | None
    new_tokens: int
    answers: int
    slots: tuple[int, ...] | None
    cards: tuple[str, ...]
    prints_json: bool


@dataclass(frozen=True)
class ModuleOptions:
    """A verb whose own module reads its arguments, such as `models`."""

    verb: str
    arguments: argparse.Namespace


@dataclass(frozen=True)
class VerifyOptions:
    """`onlooker verify`. `output` None is a file named for the model, in the current folder."""

    choice: ModelChoice
    output: Path | None
    asks_hub: bool


@dataclass(frozen=True)
class ServeCommand:
    """`onlooker serve`. `slots` None leaves their number to the engine. `cards` are the devices to
    use, () standing for all."""

    choice: ModelChoice
    host: str
    port: int
    slots: int | None
    queue: int
    sets_key: bool
    cards: tuple[str, ...] = ()


Options = CaptionOptions | BenchOptions | ModuleOptions | ServeCommand | VerifyOptions


def parse(argv: Sequence[str] | None) -> Options:
    """Parses the arguments, `sys.argv` for None. Raises SystemExit after help or a wrong use."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    match arguments.verb:
        case "caption":
            return _caption_options(parser, arguments)
        case "bench":
            return _bench_options(parser, arguments)
        case "verify":
            return VerifyOptions(_choice(arguments), arguments.output, not arguments.offline)
        case "serve":
            return ServeCommand(
                _choice(arguments),
                arguments.host,
                arguments.port,
                arguments.slots,
                arguments.queue,
                arguments.set_key,
                arguments.cards,
            )
        case verb:
            return ModuleOptions(verb, arguments)


def _caption_options(
    parser: argparse.ArgumentParser, arguments: argparse.Namespace
) -> CaptionOptions:
    if reason := refusal(arguments):
        parser.error(reason)
    try:
        _fill_job(parser, arguments)
    except StoreError as error:
        parser.error(str(error))
    prompts: list[str] = arguments.prompt or [PROMPT]
    sampling = Sampling(
        temperature=arguments.temperature,
        top_p=arguments.top_p,
        top_k=arguments.top_k,
        repetition_penalty=arguments.repetition_penalty,
        beams=arguments.beams,
        max_new_tokens=arguments.max_new_tokens,
        seed=arguments.seed,
        banned_words=tuple(arguments.ban),
    )
    return CaptionOptions(
        paths=tuple(arguments.paths),
        prompt=prompts[0],
        note=arguments.note,
        choice=_choice(arguments),
        sampling=sampling,
        beginning=arguments.begin.strip(),
        is_recursive=arguments.recursive,
        asks_together=arguments.together,
        prints_json=arguments.format == "json",
        trace=arguments.trace,
        evidence=arguments.evidence,
        folder_run=_folder_run_options(arguments, prompts, sampling),
        sends_metadata=arguments.send_metadata,
        job=_batch_options(arguments, prompts, sampling)
        if arguments.preset or arguments.most_characters or arguments.vocabulary
        else None,
    )


def _with_model(arguments: argparse.Namespace, model: str) -> argparse.Namespace:
    """Returns the arguments as if this model were given instead."""
    return argparse.Namespace(**vars(arguments) | {"model": model, "given": {"model"}})


def _folder_run_options(
    arguments: argparse.Namespace, prompts: Sequence[str], sampling: Sampling
) -> FolderRunOptions | None:
    if mode_of(arguments) is Mode.PRINT:
        return None
    return FolderRunOptions(
        asked=_batch_options(arguments, prompts, sampling),
        given=arguments.given,
        slots=arguments.parallel or arguments.slots,
        cards=arguments.cards,
        resumes=arguments.resume,
        retries_failed=arguments.retry_failed,
        undoes=arguments.undo,
        evidence=arguments.evidence,
    )


def _batch_options(
    arguments: argparse.Namespace, prompts: Sequence[str], sampling: Sampling
) -> BatchOptions:
    return BatchOptions(
        prompts=tuple(prompts),
        writes=tuple(one for one in arguments.write or () if isinstance(one, CaptionFormat)),
        tables=tuple(str(one) for one in arguments.write or () if isinstance(one, Path)),
        existing=arguments.existing,
        name=arguments.name,
        is_recursive=arguments.recursive,
        sampling=sampling,
        beginning=arguments.begin.strip(),
        strips_openings=arguments.strip_openings,
        ends_at_sentence=arguments.whole_sentences,
        replaces_edited=tuple(arguments.replace_edited),
        prefix=arguments.prefix,
        suffix=arguments.suffix,
        separator=arguments.separator,
        is_one_line=arguments.one_line,
        drops_duplicates=arguments.drop_duplicates,
        table_paths=arguments.table_paths,
        csv_separator=SEPARATORS[arguments.csv_separator],
        note=arguments.note,
        most_characters=arguments.most_characters,
        vocabulary=arguments.vocabulary or (),
        has_keywords=arguments.keywords_last,
        model=_reference(arguments),
        then=tuple(
            Other(OtherKind.MODEL, _reference(_with_model(arguments, model))).stored
            for model in arguments.then_model
        ),
    )


def _fill_job(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> None:
    """Reads the vocabulary and applies the preset. Raises StoreError."""
    if path := arguments.vocabulary:
        if not exists(path):
            parser.error(f"--vocabulary: {path}: no such file or folder.")
        arguments.vocabulary = read_vocabulary(path)
    if arguments.only_tag:
        arguments.vocabulary = tuple(
            dict.fromkeys((*(arguments.vocabulary or ()), *arguments.only_tag))
        )
        arguments.given |= {"vocabulary"}
    if not arguments.preset:
        return
    presets = known_presets()
    preset = presets.named(arguments.preset)
    if preset is None:
        names = ", ".join(f"“{one.name}”" for one in presets.all)
        parser.error(f"--preset: there is no “{arguments.preset}”. Choose from {names}.")
    apply_preset(arguments, preset)
    if "vocabulary" in preset.asks_for and not arguments.vocabulary:
        parser.error(f"The preset “{preset.name}” needs --vocabulary or --only-tag.")


def _bench_options(parser: argparse.ArgumentParser, arguments: argparse.Namespace) -> BenchOptions:
    if arguments.random_weights and "model" in arguments.given:
        parser.error("--model is for a checkpoint, and --random-weights for none. Leave one out.")
    return BenchOptions(
        choice=_choice(arguments),
        random_weights=arguments.random_weights,
        new_tokens=arguments.max_new_tokens,
        answers=arguments.answers,
        slots=arguments.slots,
        cards=arguments.cards,
        prints_json=arguments.json,
    )


def _reference(arguments: argparse.Namespace) -> str:
    """Returns what names the model in whatever folder a run is continued."""
    model = _choice(arguments).model
    folder = folder_named(model)
    return str(folder.absolute()) if folder else model


def _choice(arguments: argparse.Namespace) -> ModelChoice:
    model: str = arguments.model
    servers: dict[str, int] = dict(getattr(arguments, "server", ()))
    if servers:
        name = model if "model" in arguments.given else ""
        is_png = arguments.image_format == "png"
        named = ServerModel(tuple(servers.items()), name, arguments.image_side, is_png)
        model = named.reference
    return ModelChoice(
        model,
        arguments.device,
        Precision(arguments.dtype),
        quantizes_cache=arguments.kv_cache == Precision.BITS_8.value,
    )
