"""Servers on loopback, and engines that ask them."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest

from core.model_reference import ServerModel
from core.remote.dispatch import Patience
from core.remote.engine import RemoteEngine
from core.remote.opening import open_server_model
from core.remote.server import Timing
from tests.support.model_server import MODEL, ModelServer

QUICK = Patience(tries=3, away_seconds=1.0, waits=(0.01, 0.02))
# More tries than any test has faults, so that no unlucky request gets them all.
IN_A_RUN = Patience(tries=9, away_seconds=20.0, waits=(0.01, 0.02))


@pytest.fixture
def server() -> Iterator[ModelServer]:
    with ModelServer().running() as running:
        yield running


@pytest.fixture
def use() -> Iterator[Callable[..., RemoteEngine]]:
    """Opens the model of servers; the engines are closed again."""
    opened = []

    def use(
        *servers: ModelServer, weights: Sequence[int] = (), silent_seconds: float = 10.0, **options
    ) -> RemoteEngine:
        weights = weights or [1] * len(servers)
        addresses = tuple(zip((one.address for one in servers), weights, strict=True))
        engine = open_server_model(
            ServerModel(addresses, MODEL, **options),
            lambda fraction, stage: None,
            threading.Event(),
            timing=Timing(10.0, silent_seconds, listing_seconds=10.0),
            patience=QUICK,
            run_patience=IN_A_RUN,
        )
        opened.append(engine)
        return engine

    yield use
    for engine in opened:
        engine.close()
