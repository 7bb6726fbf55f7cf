"""The entry of the command line: `onlooker caption`, `models`, `serve` and the other verbs."""

from __future__ import annotations

import atexit
import gc
import os
import threading
from collections.abc import Sequence
from dataclasses import replace

from core.engine import Engine
from core.errors import AppError, Cancelled
from core.terminal import engines as engines_terminal
from core.terminal import exchange as exchange_terminal
from core.terminal import find as find_terminal
from core.terminal import in_turn
from core.terminal import models as models_terminal
from core.terminal import plan as plan_terminal
from core.terminal import presets as presets_terminal
from core.terminal import serve as serve_terminal
from core.terminal import servers as servers_terminal
from core.terminal.caption import Captions, torch_wanted
from core.terminal.interrupt import stop_on_interrupt
from core.terminal.options import (
    BenchOptions,
    CaptionOptions,
    FolderRunOptions,
    ModuleOptions,
    ServeCommand,
    VerifyOptions,
    parse,
)
from core.terminal.output import (
    ALL_WELL,
    BROKEN_PIPE,
    INTERRUPTED,
    SOME_FAILED,
    OutputFailed,
    as_json,
    is_ascii,
    leave_output,
    print_result,
    say,
    show_progress,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs a verb of the command line; returns its exit status, 2 after a wrong use."""
    # Before torch: its threads spin for milliseconds while they wait, and where other programs
    # want the cores too each token then takes up to forty times as long. So short a spin costs
    # nothing on idle cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    # Python's last look for rings of garbage goes through all of torch and transformers, and the
    # terminal would wait for it more than a second after the last word.
    atexit.register(gc.freeze)
    try:
        options = parse(argv)
    except SystemExit as ended:
        return int(ended.code or 0)
    try:
        with stop_on_interrupt() as stop:
            match options:
                case BenchOptions():
                    return _bench(options, stop)
                case VerifyOptions():
                    return _verify(options, stop)
                case ServeCommand():
                    return serve_terminal.run(options, stop, print_result)
                case ModuleOptions():
                    return _MODULES[options.verb](options.arguments, stop, print_result)
                case CaptionOptions():
                    if options.folder_run:
                        return _folder_runs(options, options.folder_run, stop)
                    return Captions(options, stop).run()
    except MemoryError:
        say("onlooker: Memory is full. Close other programs, then try again.")
        return SOME_FAILED
    except BrokenPipeError:  # The reader has gone, as with `head`.
        leave_output()
        return BROKEN_PIPE
    except OutputFailed as failed:
        leave_output()
        say(f"onlooker: The output cannot be written ({failed}). Free some space, then try again.")
        return SOME_FAILED
    except KeyboardInterrupt:
        return INTERRUPTED


def _folder_runs(
    options: CaptionOptions, folder_run: FolderRunOptions, stop: threading.Event
) -> int:
    """Captions with one model, or with several in turn; returns the exit status."""
    captions: dict[str, Captions] = {}

    def open_engine(model: str, images: int, prompts: Sequence[str]) -> Engine:
        choice = replace(options.choice, model=model) if model else options.choice
        by_model = Captions(replace(options, choice=choice), stop)
        return captions.setdefault(model, by_model).open_engine(images, prompts)

    return in_turn.run(options.paths, folder_run, open_engine)


_MODULES = {
    "models": models_terminal.run,
    "servers": servers_terminal.run,
    "engines": engines_terminal.run,
    "find": find_terminal.run,
    "plan": plan_terminal.run,
    "export": exchange_terminal.run,
    "import": exchange_terminal.run,
    "presets": presets_terminal.run,
}
"""What runs the verbs whose own module reads their arguments."""


def _bench(options: BenchOptions, stop: threading.Event) -> int:
    try:
        with torch_wanted():
            from core.terminal.bench import Plan, measure
            from core.terminal.bench_table import table
        plan = Plan(
            options.choice,
            options.random_weights,
            new_tokens=options.new_tokens,
            answers=options.answers,
            slots=options.slots,
            cards=options.cards,
        )
        report = measure(plan, show_progress, stop)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED
    is_json = options.prints_json
    print_result(as_json(report, indent=1, is_ascii=is_ascii()) if is_json else table(report))
    return ALL_WELL


def _verify(options: VerifyOptions, stop: threading.Event) -> int:
    try:
        with torch_wanted():
            from core.terminal.verify import require_folder, verify, write_report
        if options.output:
            require_folder(options.output)
        report = verify(options.choice, show_progress, stop, asks_hub=options.asks_hub)
        path = write_report(report, options.output)
    except Cancelled:
        return INTERRUPTED
    except AppError as error:
        say(f"onlooker: {error}")
        return SOME_FAILED
    show_progress(1.0, "")
    for problem in report.problems:
        print_result(problem)
    print_result(f"The report is in “{path}”. Read it, then attach it to an issue.")
    return SOME_FAILED if report.problems else ALL_WELL
