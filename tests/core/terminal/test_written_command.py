"""The command that is written for a folder run does what the run does."""

import os
import shlex
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from core.batch import BatchOptions
from core.captions.formats import CaptionFormat, TablePaths
from core.captions.sidecar import Existing
from core.model_reference import ServerModel
from core.terminal.options import CaptionOptions, parse
from core.terminal.written_command import caption_command, quoted, series_commands
from core.transcript import BUILT_IN, ModelChoice, Precision, Sampling

ROOT = Path(__file__).parents[3]
USUAL = BatchOptions(("Describe the image.",), sampling=Sampling(seed=None))
SERVER = ServerModel((("http://localhost:8000", 2),), "llava", 512, True).reference
RUNS = [
    (USUAL, ModelChoice()),
    (
        replace(
            USUAL,
            prompts=("What's “this”?\n$HOME `x` \\", "--undo"),
            writes=(CaptionFormat.TXT, CaptionFormat.CSV),
            existing=Existing.APPEND,
            is_recursive=True,
            sampling=Sampling(temperature=0.7, top_p=0.9, seed=5, banned_words=("a b", "-c")),
            beginning="The image",
            strips_openings=True,
            ends_at_sentence=True,
            prefix="trigger, ",
            suffix=" 'end'",
            separator="",
            is_one_line=True,
            drops_duplicates=True,
            table_paths=TablePaths.RELATIVE,
            csv_separator="\t",
            note="1987 expedition",
            most_characters=125,
        ),
        ModelChoice("owner/name", "cuda", Precision.BITS_4),
    ),
    (
        replace(USUAL, existing=Existing.STALE, replaces_edited=("-odd name.png",)),
        ModelChoice(),
    ),
    (replace(USUAL, name="{stem}-x", separator="\n"), ModelChoice(SERVER)),
    (
        replace(
            USUAL,
            writes=(CaptionFormat.XMP,),
            tables=("/else where/metadata.jsonl",),
            existing=Existing.GENERATED,
        ),
        ModelChoice(),
    ),
    (
        replace(
            USUAL,
            prompts=("Which tags? {vocabulary}", "Keywords?"),
            vocabulary=("cat, or dog", "-mat; 'x'"),
            has_keywords=True,
            sampling=Sampling(temperature=0.5, top_k=7, repetition_penalty=1.2, beams=3),
        ),
        ModelChoice(),
    ),
    (
        replace(USUAL, writes=(), tables=("captions.csv",), existing=Existing.APPEND),
        ModelChoice(),
    ),
]


@pytest.mark.parametrize(("options", "choice"), RUNS)
def test_command_is_read_as_the_run_it_was_written_for(options, choice):
    paths = [Path("-folder"), Path("/some where/it's")]
    words = caption_command(paths, options, choice, slots=3, devices=("cuda:0", "cuda:2"))
    line = quoted(words, "linux")
    assert shlex.split(line) == words
    found = parse(words[1:])
    assert isinstance(found, CaptionOptions)
    run = found.folder_run
    assert run is not None
    assert (run.asked, found.choice) == (replace(options, model=choice.model), choice)
    cards = () if choice.model == SERVER else ("cuda:0", "cuda:2")
    assert (run.slots, run.cards) == (3, cards)
    assert [str(path) for path in found.paths] == ["-folder", "/some where/it's"]


def test_command_for_powershell_keeps_its_signs_from_the_shell():
    words = ["onlooker", "caption", r"C:\My images", '--prompt=it\'s "so" $home', "--write=txt"]
    assert quoted(words, "win32") == (
        "onlooker caption 'C:\\My images' '--prompt=it''s \\\"so\\\" $home' --write=txt"
    )


def test_what_the_command_line_cannot_say_is_refused():
    refused = (
        (replace(USUAL, image_notes=(("a.png", "blurred"),)), "notes on single images"),
        (replace(USUAL, vocabulary=tuple(f"tag {n}" for n in range(9999))), "too many tags"),
    )
    for options, reason in refused:
        with pytest.raises(ValueError, match=reason):
            caption_command([Path("x")], options, ModelChoice())


@pytest.mark.slow
def test_copied_command_writes_the_captions(tmp_path):
    folder = tmp_path / "my images"
    folder.mkdir()
    Image.new("RGB", (64, 64), "red").save(folder / "one.png")
    words = caption_command([folder], USUAL, ModelChoice(device="cpu"))
    line = quoted(words).removeprefix("onlooker")
    command = f"{shlex.quote(sys.executable)} -m gui{line}"
    environment = os.environ | {"ONLOOKER_HOME": str(tmp_path / "home")}
    subprocess.run(command, shell=True, check=True, cwd=ROOT, env=environment)
    assert (folder / "one.txt").read_text().strip()


def test_further_models_are_in_the_command_where_it_can_say_so():
    options = replace(USUAL, existing=Existing.REPLACE, then=("model:a/b", "model:/some where"))
    (words,) = series_commands([Path("/f")], options, ModelChoice(), lambda options, name: options)
    found = parse(words[1:])
    assert isinstance(found, CaptionOptions)
    assert found.folder_run is not None
    assert found.folder_run.asked.then == ("model:a/b", "model:/some where")


@pytest.mark.parametrize("existing", [Existing.SKIP, Existing.REPLACE])
def test_runs_that_one_command_cannot_say_are_further_commands(existing):
    then = (f"model:{SERVER}", "preset:Archive description", "model:a/b")
    options = replace(USUAL, existing=existing, then=then)

    def with_preset(options, name):
        return replace(options, prompts=("Describe.", "Keywords?"), has_keywords=True)

    commands = series_commands([Path("/f")], options, ModelChoice(), with_preset)
    found = [parse(words[1:]) for words in commands]
    captioning = [one for one in found if isinstance(one, CaptionOptions)]
    assert [one.choice.model for one in captioning] == [BUILT_IN, SERVER, SERVER, "a/b"]
    runs = [one.folder_run.asked for one in captioning if one.folder_run is not None]
    later = Existing.GENERATED if existing is Existing.SKIP else existing
    assert [one.existing for one in runs] == [existing, later, later, later]
    assert [one.has_keywords for one in runs] == [False, False, True, True]
    assert [len(one.prompts) for one in runs] == [1, 1, 2, 2]
