"""The console script `onlooker`, and `python -m gui`: the window, or a verb of the terminal."""

from __future__ import annotations

import os
import signal
import sys
import time
from typing import TYPE_CHECKING

# Everything else is imported once `main` has seen to Ctrl+C, which would end with a traceback here.
if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence
    from pathlib import Path

STARTED = time.perf_counter()
# A constant, since PyInstaller packages a library that a call names literally, and this one
# belongs to the system.
XCB = "libxcb.so.1"
VERBS = (
    *("caption", "bench", "models", "engines", "verify"),
    *("serve", "export", "import", "find", "plan", "servers", "presets"),
)
# What the program starts itself with, to try what may hang or crash. It is not for people.
ISOLATED = "isolated"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program and return its exit status. Qt is imported only for a window."""
    if argv is None and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        # Ctrl+C while modules are imported: KeyboardInterrupt can leave the import lock held, and
        # then other threads wait for ever.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    # Before torch is imported: by default its threads spin for milliseconds while they wait, and
    # where other programs use the cores too, each token then takes up to forty times as long. So
    # short a spin costs nothing on idle cores.
    os.environ.setdefault("GOMP_SPINCOUNT", "3000")
    arguments = list(sys.argv[1:] if argv is None else argv)
    if arguments[:1] == [ISOLATED]:
        from core.isolation.child import main as isolated

        return isolated(arguments[1:])
    if arguments and arguments[0] in VERBS:
        return _caption(arguments)
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.paths and _is_mistyped(options.paths[0]):
        parser.error(f"there is no file, folder or command “{options.paths[0]}”")
    paths = [path.absolute() for path in options.paths]
    if options.self_test:
        return _test_itself()
    if not _has_display():
        return _caption_without_window(paths)

    try:
        from gui.app.imports import prepare_imports

        prepare_imports()
        from gui.app.start import run
    except ImportError as error:
        _say(f"The window cannot be opened: {error}. Install what is missing, or use")
        _say("“onlooker caption IMAGE”, which needs no window.")
        return 1
    return run(paths, STARTED)


def _parser() -> argparse.ArgumentParser:
    import argparse
    from pathlib import Path

    from core.version import program_version

    parser = argparse.ArgumentParser(
        prog="onlooker",
        description="Describes images and answers questions about them.",
        epilog=f"Commands of the terminal: {', '.join(VERBS)}. “onlooker caption --help” says how "
        "to describe images there, and so on.",
    )
    parser.add_argument(
        "paths",
        nargs="*",
        type=Path,
        metavar="IMAGE | FOLDER",
        help="open these images, or those in a folder, in the window",
    )
    parser.add_argument(
        "--self-test", action="store_true", help="test the whole program, print the result and exit"
    )
    parser.add_argument("--version", action="version", version=f"Onlooker {program_version()}")
    return parser


def _is_mistyped(path: Path) -> bool:
    """Return whether what stands first is a word such as “captoin”, and no name of a file that may
    have been moved since."""
    return path.name == str(path) and not path.suffix and not os.path.lexists(path)


def _test_itself() -> int:
    if not _has_display():
        os.environ["QT_QPA_PLATFORM"] = "offscreen"
    from gui.app.imports import prepare_imports

    prepare_imports()
    from gui.app.self_test import main as self_test

    return self_test(STARTED)


def _has_display() -> bool:
    """Return whether Qt will find a screen. If it finds none, it aborts the process with a message
    of its own: over ssh without a display, say, or as a user to whom the screen does not belong."""
    if sys.platform != "linux" or os.environ.get("QT_QPA_PLATFORM"):
        return True
    return _reaches_wayland() or _reaches_x()


def _reaches_wayland() -> bool:
    if os.environ.get("WAYLAND_SOCKET"):
        return True
    name = os.environ.get("WAYLAND_DISPLAY")
    if not name:
        return False
    import socket
    from pathlib import Path

    with socket.socket(socket.AF_UNIX) as screen:
        try:
            screen.connect(str(Path(os.environ.get("XDG_RUNTIME_DIR", ""), name)))
        except OSError:
            return False
    return True


def _reaches_x() -> bool:
    if not os.environ.get("DISPLAY"):
        return False
    import ctypes

    try:
        xcb = ctypes.CDLL(XCB)
    except OSError:
        # Qt needs it too, and says what is missing.
        return True
    xcb.xcb_connect.restype = ctypes.c_void_p
    screen = ctypes.c_void_p(xcb.xcb_connect(None, None))
    has_failed = xcb.xcb_connection_has_error(screen)
    xcb.xcb_disconnect(screen)
    return not has_failed


def _caption_without_window(paths: list[Path]) -> int:
    from core.picture import find_pictures
    from core.resources import SAMPLES

    samples = sorted(path for path in SAMPLES.glob("*") if path.suffix in (".png", ".jpg"))
    pictures = find_pictures(paths) if paths else samples[:1]
    if not pictures:
        _say("There is no display for a window, and no image to describe in the terminal.")
        return 1
    _say(f"There is no display for a window. Describing “{pictures[0].name}” in the terminal.")
    return _caption(["caption", *map(str, pictures)])


def _say(line: str) -> None:
    if sys.stderr:
        sys.stderr.write(f"{line}\n")


def _caption(arguments: list[str]) -> int:
    from core.terminal.interrupt import without_waiting
    from core.terminal.main import main as terminal

    return without_waiting(terminal(arguments))


if __name__ == "__main__":
    sys.exit(main())
