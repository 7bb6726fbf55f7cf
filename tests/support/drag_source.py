"""A window of another program, from which a list of URIs can be dragged.

    python -m tests.support.drag_source X Y URI…

Prints a line once it is painted, and one when the drag has ended, with what became of it.
"""

from __future__ import annotations

import sys

from PySide6.QtCore import QMimeData, Qt
from PySide6.QtGui import QDrag, QMouseEvent, QPaintEvent
from PySide6.QtWidgets import QApplication, QWidget


class DragSource(QWidget):
    def __init__(self, uris: list[str]):
        super().__init__()
        self._uris = uris
        self._is_painted = False
        self.setWindowFlag(Qt.WindowType.FramelessWindowHint)

    def paintEvent(self, event: QPaintEvent) -> None:
        if not self._is_painted:
            self._is_painted = True
            say("painted")

    def mousePressEvent(self, event: QMouseEvent) -> None:
        event.accept()

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        mime = QMimeData()
        mime.setData("text/uri-list", "".join(f"{uri}\r\n" for uri in self._uris).encode())
        drag = QDrag(self)
        drag.setMimeData(mime)
        action = drag.exec(Qt.DropAction.CopyAction | Qt.DropAction.MoveAction)
        say(action.name or "")


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main(x: int, y: int, uris: list[str]) -> int:
    app = QApplication(sys.argv[:1])
    source = DragSource(uris)
    source.setGeometry(x, y, 90, 60)
    source.show()
    return app.exec()


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]))
