# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Several copies of `transformers serve` behind one address, kept alive by Ray Serve.

    python packaging/cluster/ray_serve_transformers.py MODEL --replicas 2 --port 8000

For models that vLLM does not run, and to try the plumbing without a card; `transformers serve`
itself is slow. Needs "ray[serve]" and "transformers[serving]". The model's id in requests is the
folder as given. Ray's own ports listen on all addresses, so run it in a network
of your own, or in a network namespace: `unshare -n sh -c 'ip link set lo up; exec python …'`.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from urllib.request import urlopen

import aiohttp
import ray
from ray import serve
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

_START_SECONDS = 600
_KEPT_HEADERS = ("content-type", "authorization", "accept")


class Replica:
    """One `transformers serve` on a port of its own, to which requests are passed on."""

    def __init__(self, model: str, device: str):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self._port = probe.getsockname()[1]
        self._server = subprocess.Popen(
            [sys.executable, "-c", "from transformers.cli.transformers import main; main()",
             "serve", model, "--host", "127.0.0.1", "--port", str(self._port), "--device", device]
        )  # fmt: skip
        self._session: aiohttp.ClientSession | None = None
        self._wait()

    def _wait(self) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end:
            self.check_health()
            try:
                urlopen(f"http://127.0.0.1:{self._port}/v1/models", timeout=2).close()
            except OSError:
                time.sleep(0.5)
            else:
                return
        raise TimeoutError("transformers serve did not start.")

    def check_health(self) -> None:
        """Raises once the server is gone; Ray then replaces this replica."""
        if self._server.poll() is not None:
            raise RuntimeError(f"transformers serve ended with status {self._server.returncode}.")

    async def __call__(self, request: Request) -> Response:
        """Passes a request on, and its answer back as it comes."""
        session = self._session = self._session or aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=None)
        )
        url = f"http://127.0.0.1:{self._port}{request.url.path}"
        headers = {name: request.headers[name] for name in _KEPT_HEADERS if name in request.headers}
        body = await request.body()
        try:
            reply = await session.request(request.method, url, data=body, headers=headers)
        except aiohttp.ClientConnectionError:
            if self._server.poll() is not None:
                os._exit(1)  # Ray replaces this replica at once, and would send it more requests.
            raise

        async def pieces() -> AsyncIterator[bytes]:
            # Closed when the client leaves, so that the server stops too.
            async with reply:
                async for piece in reply.content.iter_any():
                    yield piece

        kind = reply.headers.get("content-type", "application/json")
        return StreamingResponse(pieces(), reply.status, media_type=kind)

    def __del__(self) -> None:
        self._server.terminate()


def main() -> None:
    """Serves until Ctrl+C."""
    parser = argparse.ArgumentParser(description="Serve copies of a model behind one address.")
    parser.add_argument("model")
    parser.add_argument("--replicas", type=int, default=2)
    parser.add_argument("--cpus", type=float, default=1, help="of each replica; may be a part")
    parser.add_argument("--cards", type=float, default=0, help="of each replica")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    ray.init(include_dashboard=False)
    serve.start(http_options={"host": options.host, "port": options.port})
    resources = {"num_cpus": options.cpus, "num_gpus": options.cards}
    device = "cuda" if options.cards else "cpu"
    replicas = serve.deployment(
        Replica,
        num_replicas=options.replicas,
        ray_actor_options=resources,
        health_check_period_s=5,
    )
    serve.run(replicas.bind(options.model, device), name="captions", route_prefix="/")
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    asyncio.run(asyncio.Event().wait())


if __name__ == "__main__":
    main()
