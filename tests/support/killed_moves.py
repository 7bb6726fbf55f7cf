"""Moves of a file that are killed before one operation on files after the other.

`killed_moves.py ROOT OTHER KIND-VERB…`: for each point the file ROOT/KIND-VERB/POINT/a.jpg goes to
OTHER/KIND-VERB/POINT/to/files/a.jpg by `perform`, or comes back by `revert`. ROOT/KIND-VERB/points
holds their number. KIND is move, copy or trash.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from core.workspace.move import FileMove, perform, revert

_EVENTS = {"open", "os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink"}
_KILLED = 9


def the_move(root: Path, other: Path, what: str, point: int) -> FileMove:
    """The one that is killed at `point`; `what` is KIND-VERB."""
    kind = what.partition("-")[0]
    info = "[Trash Info]\nPath=a.jpg\n" if kind == "trash" else ""
    source, target = (
        root / what / str(point) / "a.jpg",
        other / what / str(point) / "to" / "files" / "a.jpg",
    )
    return FileMove(source, target, is_copy=kind == "copy", trash_info=info)


def kill_all(root: Path, other: Path, what: str) -> None:
    """Kills a move of one kind at each point."""
    act = perform if what.endswith("-perform") else revert
    point = 0
    while True:
        move = the_move(root, other, what, point)
        move.source.parent.mkdir(parents=True)
        move.source.write_bytes(b"content")
        if act is revert:
            perform(move)
        child = os.fork()
        if not child:
            _kill_before(point)
            act(move)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != _KILLED:
            assert status == 0, status
            break
        point += 1
    (root / what / "points").write_text(str(point))


def _kill_before(point: int) -> None:
    left = point

    def count(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event in _EVENTS:
            if not left:
                os._exit(_KILLED)
            left -= 1

    sys.addaudithook(count)


if __name__ == "__main__":
    for argument in sys.argv[3:]:
        kill_all(Path(sys.argv[1]), Path(sys.argv[2]), argument)
