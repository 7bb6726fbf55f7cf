"""Message boxes: their text begins at the left margin."""

from PySide6.QtWidgets import QDialogButtonBox, QLabel, QMessageBox

from gui.widgets.message_box import MessageBox


def test_text_begins_at_the_margin_of_the_buttons(qtbot):
    box = MessageBox()
    qtbot.addWidget(box)
    box.setText("Move 28 images to the trash?")
    box.setInformativeText("Undo brings all back.")
    box.addButton("A longer button", QMessageBox.ButtonRole.AcceptRole)
    box.addButton("Cancel", QMessageBox.ButtonRole.RejectRole)
    box.show()
    qtbot.waitExposed(box)
    texts = [label for label in box.findChildren(QLabel) if label.isVisible() and label.text()]
    assert len(texts) == 2
    buttons = box.findChild(QDialogButtonBox)
    assert buttons is not None
    assert {text.x() for text in texts} == {buttons.x()} == {24}
    assert box.height() - buttons.geometry().bottom() - 1 == 16
