"""Caption files that are hostile or broken: a run over them ends soon, and loses nothing."""

import json
import os
import subprocess
import sys

import pytest

from tests.support.sidecar_run import OTHER_FORMS
from tests.support.sidecars import text_forms, xmp_forms

WAYS = ("skip", "append", "prepend", "replace", "stale", "generated")
SAMPLE = {"billion laughs", "deep", "one letter a million times"}
FORMS = [("xmp", form) for form in (*xmp_forms(), *OTHER_FORMS)]
FORMS += [("txt", form) for form in (*text_forms(), *OTHER_FORMS)]


@pytest.mark.skipif(os.name == "nt", reason="pipes, links and measured memory")
@pytest.mark.parametrize(
    ("kind", "form"),
    [
        pytest.param(kind, form, marks=() if form in SAMPLE else pytest.mark.slow)
        for kind, form in FORMS
    ],
)
def test_run_over_a_hostile_sidecar_ends_soon_and_loses_nothing(tmp_path, kind, form):
    command = [sys.executable, "-m", "tests.support.sidecar_run", str(tmp_path), kind, form]
    done = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    assert found["seconds"] < 15  # For five runs and undos.
    assert found["bytes"] < 1_000_000_000
    for way in WAYS:
        row = found[way]
        assert row["is_undone"]
        assert row["left"] == sorted({"a.png", f"a.{kind}"})
        assert row["state"] in ("done", "skipped", "failed")
        if row["state"] != "done":
            assert row["reason"].strip()
            assert row["is_same"]
