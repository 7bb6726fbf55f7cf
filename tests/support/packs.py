"""Engine packs and wheels for tests: small files in the places of PyTorch's large ones."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from core.engine_packs.choice import platform_tag, python_tag

LIBRARY = "torch/lib/libtorch_cuda.so"


def write_pack(folder: Path, **entries: Any) -> Path:
    """Writes a pack that has passed its trial; `entries` are those of its pack.json."""
    (folder / LIBRARY).parent.mkdir(parents=True)
    (folder / LIBRARY).write_bytes(b"x" * 40)
    content: dict[str, Any] = {
        "format": 1,
        "name": folder.name,
        "torch": "2.13.0",
        "cuda": "13.0",
        "platform": platform_tag(),
        "python": python_tag(),
        "needs_driver": "13.0",
        "size": 40,
        "files": {LIBRARY: 40},
        "trial": {"passed": "2026-11-29T12:00:00+00:00", "card": "NVIDIA H200"},
    }
    (folder / "pack.json").write_text(json.dumps(content | entries))
    return folder
