"""What the first line of a folder run says."""

from pathlib import Path

import pytest

from gui.batch.head import RunHead
from gui.widgets.theme import Theme

HOLIDAY = Path("/home/ada/holiday")


@pytest.mark.parametrize(
    ("roots", "where"),
    [
        ([HOLIDAY], "“holiday”"),
        ([HOLIDAY / "cat.png", HOLIDAY / "dog.JPG"], "“holiday”"),
        ([HOLIDAY / "cat.png", HOLIDAY / "zoo"], "2 folders"),
        ([HOLIDAY / "cat.png", HOLIDAY.parent / "dog.jpg"], "2 folders"),
        ([HOLIDAY / "a.png", HOLIDAY / "b.png", HOLIDAY.parent / "dog.jpg"], "2 folders"),
        ([HOLIDAY, HOLIDAY.parent / "work"], "2 folders"),
        ([Path("/home/ada/caf\udce9")], "“caf\ufffd”"),
        ([Path("/caf\udce9/a.png"), Path("/caf\udce9/b.png")], "“caf\ufffd”"),
    ],
)
def test_first_line_says_in_which_folder_or_how_many_the_images_are(qapp, qtbot, roots, where):
    head = RunHead(Theme(qapp, "light"))
    qtbot.addWidget(head)
    head.resize(900, 40)
    head.show()
    head.show_run(2, roots, has_begun=False)
    assert head.title_label.text() == f"Caption 2 images in {where}"


def test_run_of_one_file_is_named_by_it(qapp, qtbot):
    head = RunHead(Theme(qapp, "light"))
    qtbot.addWidget(head)
    head.resize(900, 40)
    head.show()
    head.show_run(1, [HOLIDAY / "cat.png"], has_begun=False)
    assert head.title_label.text() == "Caption “cat.png”"
    head.show_run(1, [HOLIDAY / "cat.png"], has_begun=True)
    assert head.title_label.text() == "“cat.png”"


def test_run_over_one_file_is_named_by_the_file_whatever_bytes_its_name_has(qapp, qtbot):
    head = RunHead(Theme(qapp, "light"))
    qtbot.addWidget(head)
    head.resize(900, 40)
    head.show_run(1, [Path("/home/ada/caf\udce9.png")], has_begun=False)
    assert "“caf\ufffd.png”" in head.title_label.text()
