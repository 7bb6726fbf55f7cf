"""Tiny models on disk, written once; and no window on anybody's screen."""

import gc
import os
import sys
from pathlib import Path

import pytest

os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
# Dates, numbers and the language of spelling are those of the system's locale, and Qt warns of one
# without UTF-8.
os.environ["LC_ALL"] = "C.UTF-8"
os.environ.pop("LANGUAGE", None)
# As the program does itself, before torch is imported.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
# What collecting the tests imports (torch, transformers, Qt) is a million objects that stay. Python
# would traverse them again and again, while they become more and in each test that makes garbage.
gc.disable()


FROZEN = pytest.StashKey[int]()


def pytest_collection_finish(session):
    """The tests are known, and what they import is imported."""
    freeze(session.config)
    gc.enable()


def pytest_runtest_setup(item):
    """What the tests before have imported stays too."""
    if len(sys.modules) > item.config.stash[FROZEN] + 50:
        freeze(item.config)


def freeze(config: pytest.Config) -> None:
    """Never traverse the objects that exist now."""
    gc.collect()
    gc.freeze()
    config.stash[FROZEN] = len(sys.modules)


@pytest.fixture(scope="session", autouse=True)
def _caches_of_the_tests(tmp_path_factory):
    """Verdicts about tiny models are kept for the tests alone, and for all of them: the folder of
    each worker of pytest-xdist is below a folder that they share.
    """
    folder = tmp_path_factory.getbasetemp()
    caches = (folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder) / "caches"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(caches))
        yield


@pytest.fixture
def ring():
    """A keyring of this test's own."""
    import keyring

    from tests.support.keyrings import MemoryKeyring

    before = keyring.get_keyring()
    ring = MemoryKeyring()
    keyring.set_keyring(ring)
    yield ring
    keyring.set_keyring(before)


@pytest.fixture(scope="session")
def tiny_transformers_layout(tmp_path_factory) -> Path:
    """A tiny LLaVA-1.5 with random weights as transformers saves it."""
    # Imported here and below, since torch takes seconds and most tests of the window need none.
    from tests.support.tiny_llava import write_transformers_layout

    return write_transformers_layout(tmp_path_factory.mktemp("models") / "tiny-hf")


@pytest.fixture(scope="session")
def tiny_original_layout(tmp_path_factory) -> Path:
    """The same weights as the original code saved them."""
    from tests.support.tiny_llava import write_original_layout

    return write_original_layout(tmp_path_factory.mktemp("models") / "tiny-original")


@pytest.fixture(scope="session")
def chat_folders(tmp_path_factory) -> dict[str, Path]:
    """A tiny model of each other architecture with random weights, as transformers saves it.

    Without a home of its own, a test opens them as if they had been tried; tests/core/vetting tries
    each.
    """
    from tests.support.tiny_chat import FAMILIES, as_if_tried, write_chat_model

    root = tmp_path_factory.mktemp("chat")
    return {family: as_if_tried(write_chat_model(root / family, family)) for family in FAMILIES}
