"""The fields of a run's form, as they stand in its rows."""

from __future__ import annotations

from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QLineEdit, QSizePolicy, QWidget

from gui.widgets.elided_combo_box import ElidedComboBox


def key_label(text: str) -> QLabel:
    """Returns the quiet label in front of a field."""
    label = QLabel(text)
    label.setProperty("class", "key")
    return label


def combo(name: str, words: str) -> QComboBox:
    """Returns a combo box with this object name and accessible name, as narrow as its content."""
    box = ElidedComboBox()
    box.setObjectName(name)
    box.setAccessibleName(words)
    box.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
    policy = QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
    box.setSizeAdjustPolicy(policy)
    box.setMinimumContentsLength(7)
    return box


def field_row(*parts: QWidget) -> QHBoxLayout:
    """Returns a row of fields, aligned to the left."""
    row = QHBoxLayout()
    row.setSpacing(12)
    for part in parts:
        row.addWidget(part)
    # With stretch 0, fields that can grow take the space before this does.
    row.addStretch(0)
    return row


def placeholder_edit(name: str, placeholder: str) -> QLineEdit:
    """Returns a line to type into, with this object name and an example of what to type."""
    edit = QLineEdit()
    edit.setObjectName(name)
    edit.setPlaceholderText(placeholder)
    return edit


def named_field(words: str, field: QWidget, *, left: int = 12) -> QWidget:
    """Returns a field with its label in front, as one part of a row."""
    part = QWidget()
    row = QHBoxLayout(part)
    row.setContentsMargins(left, 0, 0, 0)
    row.setSpacing(12)
    label = key_label(words)
    label.setBuddy(field)
    field.setAccessibleName(words)
    row.addWidget(label)
    row.addWidget(field)
    return part
