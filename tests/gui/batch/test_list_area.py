"""The space that further options and the captions of a folder run share."""

from PySide6.QtWidgets import QLabel, QSizePolicy

from gui.batch.list_area import ListArea


def test_unfolded_options_stand_below_what_unfolds_them(qtbot):
    options, captions = QLabel("Options"), QLabel("Captions")
    options.setSizePolicy(QSizePolicy.Policy.Preferred, QSizePolicy.Policy.Maximum)
    area = ListArea(options, [captions])
    qtbot.addWidget(area)
    area.resize(400, 600)
    area.show_options(True)
    area.show()
    assert options.y() == 0
    area.show_captions(True)
    qtbot.waitUntil(captions.isVisible)
    # The captions have all that is left.
    qtbot.waitUntil(lambda: captions.mapTo(area, captions.rect().bottomLeft()).y() > 590)
