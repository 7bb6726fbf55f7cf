import pytest
from PySide6.QtGui import QTextCursor, QTextDocument

from gui.widgets.text_index import TextIndex

EMOJI = "\U0001f600"


@pytest.mark.parametrize(
    "text", ["", "cat", "naïve", f"a{EMOJI}b", EMOJI * 3, f"{EMOJI}\uffff{EMOJI}x"]
)
def test_every_index_is_where_qt_finds_the_same_character(text):
    document, indices = QTextDocument(text), TextIndex(text)
    cursor = QTextCursor(document)
    for index, character in enumerate(text):
        position = indices.to_qt(index)
        cursor.setPosition(position)
        cursor.setPosition(indices.to_qt(index + 1), QTextCursor.MoveMode.KeepAnchor)
        assert cursor.selectedText() == character
        assert indices.to_python(position) == index
    assert indices.qt_length == document.characterCount() - 1
    assert indices.to_python(indices.qt_length) == len(text)


def test_second_half_of_an_emoji_belongs_to_the_emoji():
    assert TextIndex(f"a{EMOJI}b").to_python(2) == 1
