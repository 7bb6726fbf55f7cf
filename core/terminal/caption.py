"""`onlooker caption` without `--write`: captions on standard output, word by word or as JSON."""

from __future__ import annotations

import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from core.batch import NO_WORDS, AskingAgain, BatchOptions, expanded
from core.captions.variables import (
    Notes,
    filled,
    personal_variables,
    variables_in,
    without_variables,
)
from core.captions.wording import joined
from core.engine import Capability, Engine, inspectable
from core.errors import AppError, Cancelled, CheckpointError, PictureError, PromptError
from core.files import exists, is_folder
from core.model_reference import ServerModel, server_model
from core.picture import Picture, look_for_pictures, open_picture
from core.terminal.evidence import evidence_record
from core.terminal.options import CaptionOptions
from core.terminal.output import (
    ALL_WELL,
    INTERRUPTED,
    SOME_FAILED,
    as_json,
    is_ascii,
    print_result,
    say,
    show_progress,
)
from core.trace import as_record
from core.transcript import Answer, Ending, Request, Turn
from core.vocabulary import unknown_note
from core.words import has_words
from core.workspace.export import caption_beside


@contextmanager
def torch_wanted() -> Generator[None]:
    """Wraps imports of torch and transformers; they take seconds. Raises CheckpointError."""
    try:
        yield
    except (ImportError, OSError) as error:
        raise CheckpointError(
            f"PyTorch and transformers cannot be started ({error}). Install Onlooker again."
        ) from error


class Captions:
    """Captions images one after the other. If one fails, that is reported and the next follows."""

    def __init__(self, options: CaptionOptions, stop: threading.Event):
        self._options = options
        self._stop = stop
        self._has_failures = self._has_opened = False
        self._traces: list[dict[str, Any]] = []
        self._evidence: list[dict[str, Any]] = []

    def run(self) -> int:
        """Captions all images; returns the exit status."""
        pictures = self._find_pictures()
        try:
            # Errors in the names of images are reported before loading a model takes seconds.
            engine = self.open_engine(1, self._prompts) if pictures else None
        except Cancelled:
            return INTERRUPTED
        except AppError as error:
            return self._fail("", error)
        if engine is not None:
            self._caption(pictures, engine)
            engine.close()
        if self._stop.is_set():
            return INTERRUPTED
        return SOME_FAILED if self._has_failures else ALL_WELL

    def _find_pictures(self) -> list[Path]:
        pictures: list[Path] = []
        for path in expanded(self._options.paths):
            if not is_folder(path):
                pictures.append(path)
                continue
            found = look_for_pictures([path], self._options.is_recursive)
            pictures += found.pictures
            if not found.pictures:
                nothing = "There are no images in this folder."
                self._fail(str(path), f"{nothing} {found.sentence}".strip())
            elif found.sentence:
                say(f"{path}: {found.sentence}")
        if not any(map(exists, pictures)):
            self._report_missing(pictures)
            return []
        return pictures

    def _report_missing(self, pictures: list[Path]) -> None:
        """Says why none of these can be opened, without loading a model, which takes seconds."""
        for path in pictures:
            try:
                self._open(path)
            except AppError as error:
                self._fail(str(path), error)

    def open_engine(self, images: int, prompts: Sequence[str]) -> Engine:
        """Opens the chosen model and prints its notes. Raises AppError.

        For a folder run over so many `images` it is opened on all cards that the run is to use.
        What metadata says of people is not sent to a server in `prompts` unless that is allowed.
        """
        named = server_model(self._options.choice.model)
        if named and not self._options.sends_metadata:
            _require_no_metadata(named, prompts)
        engine = self._open_remote(named) if named else self._open_local(images)
        if self._has_opened:
            return engine
        self._has_opened = True
        for note in engine.facts.notes:
            say(note)
        if engine.facts.knows_only_drawings:
            say(
                "The built-in model knows drawings, not photos. For photos, give --model a folder "
                "with LLaVA-1.5-7b."
            )
        return engine

    def _open_remote(self, named: ServerModel) -> Engine:
        from core.remote.opening import open_server_model

        return open_server_model(named, show_progress, self._stop)

    def _open_local(self, images: int) -> Engine:
        from core.vetting.vetting import begin_vetting

        # The model's folder is tried in another process while torch is imported.
        with begin_vetting(self._options.choice) as vetting:
            with torch_wanted():
                from core.open_engine import open_engine
                from core.terminal.several_cards import devices_of_run, open_several

            devices = devices_of_run(self._options, images)
            if len(devices) > 1:
                vetting.wait(self._stop)
                return open_several(devices, self._options.choice, self._stop)
            choice = replace(self._options.choice, device=next(iter(devices)))
            return open_engine(choice, show_progress, self._stop, vetting)

    def _caption(self, pictures: list[Path], engine: Engine) -> None:
        if unknown := engine.facts.unknown_words(without_variables(self._options.prompt)):
            say(unknown_note(unknown))
        groups = [pictures] if self._options.asks_together else [[path] for path in pictures]
        for number, paths in enumerate(groups, 1):
            if self._stop.is_set():
                break
            try:
                picture, *others = [self._open(path) for path in paths]
                options = self._options
                if options.job:
                    self._do_job(picture, number, options.job, engine, len(groups) > 1)
                    continue
                turns = (Turn(self._prompt(paths[0], number)),)
                request = Request(
                    picture, turns, options.sampling, options.beginning, tuple(others)
                )
                self._answer(paths[0], request, engine, is_one_of_many=len(groups) > 1)
            except Cancelled:
                break
            except AppError as error:
                self._fail(", ".join(map(str, paths)), error)
        self._write("trace", self._options.trace, self._traces)
        self._write("evidence", self._options.evidence, self._evidence)

    def _do_job(
        self, picture: Picture, number: int, job: BatchOptions, engine: Engine, is_one_of_many: bool
    ) -> None:
        """Prints what a folder run with these options would write."""
        path = picture.path
        assert path is not None
        caption = caption_beside(path) if "{caption}" in "".join(job.prompts) else ""
        captions: list[str] = []
        asked: list[tuple[Request, Answer]] = []
        for index, prompt in enumerate(job.filled_prompts(path, number, caption)):
            request = job.request(picture, prompt, index)
            answer = AskingAgain(engine).answer(request, lambda piece: None, self._stop)
            asked.append((request, answer))
            captions.append(job.caption_of(answer))
            for note in answer.notes:
                say(f"{path}: {note}")
            if answer.ending is Ending.STOPPED:
                break
            if not job.has_words(answer.text):
                self._fail(str(path), NO_WORDS)
                return
        whole = job.whole_caption(captions)
        if self._options.prints_json:
            request, answer = asked[0]
            record = _record(path, request, replace(answer, text=whole), engine)
            print_result(as_json(record, is_ascii=is_ascii()))
        else:
            print_result(f"{path}:\n{whole}\n" if is_one_of_many else whole)

    @property
    def _prompts(self) -> tuple[str, ...]:
        job = self._options.job
        return job.prompts if job else (self._options.prompt,)

    def _prompt(self, path: Path, number: int) -> str:
        """Returns the prompt with its variables filled in. Raises StoreError if it needs the
        image's caption and that cannot be read."""
        prompt = self._options.prompt
        caption = caption_beside(path) if "caption" in variables_in(prompt) else ""
        return filled(prompt, path, number, caption, Notes(self._options.note))

    def _open(self, path: Path) -> Picture:
        try:
            path.stat()
        except FileNotFoundError:
            raise PictureError("There is no such file or folder. Check the name.") from None
        except (OSError, ValueError):  # Opening it says why.
            pass
        picture = open_picture(path)
        for note in picture.notes:
            say(f"{path}: {note}")
        return picture

    def _answer(
        self, path: Path, request: Request, engine: Engine, *, is_one_of_many: bool
    ) -> None:
        if self._options.prints_json:
            answer = engine.answer(request, lambda piece: None, self._stop)
            record = _record(path, request, answer, engine)
            print_result(as_json(record, is_ascii=is_ascii()))
        else:
            if is_one_of_many:
                print_result(f"{path}:")
            try:
                printer = _Printer(request.beginning)
                answer = engine.answer(request, printer.print_piece, self._stop)
                printer.finish()
            finally:
                print_result("\n" if is_one_of_many else "")
        own = answer.text.removeprefix(request.beginning)
        if answer.ending is not Ending.STOPPED and not has_words(own):
            self._fail(str(path), NO_WORDS)
        if self._options.trace:
            tracer = inspectable(engine, Capability.TRACE)
            self._traces.append(as_record(tracer.trace(request, answer)))
        if self._options.evidence:
            record = evidence_record(request, answer, engine, self._stop)
            self._evidence.append({"picture": str(path), **record})

    def _write(self, name: str, path: Path | None, records: list[dict[str, Any]]) -> None:
        """Writes the record of one image by itself, those of several in a list."""
        if path is None or not records:
            return
        try:
            content = records[0] if len(records) == 1 else records
            path.write_text(as_json(content, indent=1), "utf-8")
        except OSError as error:
            self._fail(str(path), f"The {name} cannot be written ({error.strerror}).")

    def _fail(self, name: str, error: AppError | str) -> int:
        self._has_failures = True
        say(f"onlooker: {name}: {error}" if name else f"onlooker: {error}")
        return SOME_FAILED


def _require_no_metadata(named: ServerModel, prompts: Sequence[str]) -> None:
    from core.remote.address import is_this_machine

    personal = personal_variables(" ".join(prompts))
    if personal and not all(is_this_machine(address) for address, _ in named.addresses):
        names = ", ".join(f"{{{name}}}" for name in personal)
        raise PromptError(
            f"The prompt would send {names} of your images to a server. Add --send-metadata to "
            "allow it, or leave them out."
        )


class _Printer:
    """Prints an answer while it comes, after the beginning that the model was given.

    Some models repeat the beginning: what might be its repetition is held back.
    """

    def __init__(self, beginning: str):
        self._beginning = beginning
        self._text = ""
        self._is_held = bool(beginning)

    def print_piece(self, piece: str) -> None:
        """Prints the next piece, or holds it back."""
        self._text += piece
        if not self._is_held:
            print_result(piece, end="")
        elif not self._beginning.startswith(self._text):
            self.finish()

    def finish(self) -> None:
        """Prints what is held back."""
        if self._is_held:
            self._is_held = False
            print_result(_whole(self._text, self._beginning), end="")


def _whole(text: str, beginning: str) -> str:
    """Returns the answer's text with its beginning, which some models repeat."""
    return text if text.startswith(beginning) else joined(beginning, text)


def _record(path: Path, request: Request, answer: Answer, engine: Engine) -> dict[str, Any]:
    return {
        "picture": str(path),
        "prompt": request.turns[-1].prompt,
        "caption": _whole(answer.text, request.beginning),
        "ending": answer.ending.value,
        "model": engine.facts.model,
        "device": engine.facts.device,
        "dtype": engine.facts.dtype,
        "input_tokens": answer.input_tokens,
        "new_tokens": answer.tokens,
        "seconds_to_first_token": round(answer.seconds_to_first_token, 4),
        "tokens_per_second": round(answer.tokens_per_second, 2),
        "notes": list(request.picture.notes),
    }
