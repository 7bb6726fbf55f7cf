"""The entry point of the frozen program.

On Windows a program without a console has no standard streams, and on other systems it may be
started with them closed; libraries that print would then raise.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
from pathlib import Path


def main() -> int:
    """Prepare the process and run the program; returns its exit status."""
    give_back_environment()
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115
    # PyInstaller's name for the program's folder.
    if (folder := getattr(sys, "_MEIPASS", "")) and not add_engine(Path(folder)):
        print(
            "PyTorch is missing from the program. Install Onlooker again, or get an engine pack "
            "with “onlooker engines get”.",
            file=sys.stderr,
        )
        return 1
    # A worker process of a library is this program again; it must not open a second window.
    multiprocessing.freeze_support()
    # The hub's client must send nothing that the user did not ask for.
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

    from gui.__main__ import main as program

    return program()


def add_engine(program: Path) -> bool:
    """Let PyTorch be imported: from an engine pack of the user's, or from the program's own engine.

    Returns whether it can be, or what the program is asked for needs none. The modules that are
    imported here import no PyTorch.
    """
    from core.engine_packs.archive import add_engine_folder
    from core.engine_packs.choice import choose_engine
    from core.engine_packs.current import set_current
    from core.locations import locations

    engines = program / "engines"
    version = (engines / "torch_version").read_text("utf-8")
    try:
        data = locations().data
    except RuntimeError:  # A user whom the system does not know has no packs.
        data = engines
    chosen = choose_engine(engines, data, version)
    set_current(chosen)
    add_engine_folder(chosen.folder)
    needs_none = sys.argv[1:2] in (["engines"], ["isolated"], ["--version"], ["--help"])
    return needs_none or (chosen.folder / "torch").is_dir()


def give_back_environment() -> None:
    """Restore the environment variables that PyInstaller has set for this process.

    The loader read the path to our libraries when the process started, and there is no QML. A
    browser or file manager that this process starts would load our libraries instead of its own
    and fail. `gui.app.start` removes the path to Qt's plugins once Qt has read it.
    """
    if sys.platform != "linux":
        return
    before = os.environ.pop("LD_LIBRARY_PATH_ORIG", "")
    os.environ.pop("LD_LIBRARY_PATH", None)
    if before:
        os.environ["LD_LIBRARY_PATH"] = before
    os.environ.pop("QML2_IMPORT_PATH", None)


if __name__ == "__main__":
    sys.exit(main())
