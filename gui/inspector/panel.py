"""The inspector: the trace of one answer, stage by stage, to be read and copied."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

from PIL import Image
from PySide6.QtCore import QSize, Qt, QTimer, Slot
from PySide6.QtGui import QFont, QFontDatabase, QGuiApplication, QImage
from PySide6.QtWidgets import (
    QDialog,
    QFrame,
    QGridLayout,
    QHBoxLayout,
    QLabel,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from core.picture import Picture
from core.trace import Trace, as_json, as_markdown, shown_seconds
from gui.inspector.facts_table import FactsTable, quiet_label, section_title
from gui.inspector.token_flow import TokenFlow
from gui.inspector.wording import ending_text, memory_text, stage_text
from gui.picture.patch_figure import PatchFigure
from gui.widgets.counted import counted
from gui.widgets.elided_label import ElidedLabel
from gui.widgets.labels import make_selectable
from gui.widgets.line_break import breakable
from gui.widgets.measures import bytes_text, sides_text
from gui.widgets.preview import PreviewMaker, scaled, to_image
from gui.widgets.screen_fit import ScreenFit
from gui.widgets.theme import Theme

if TYPE_CHECKING:
    from core.picture import ImagePreprocessing

_FIRST = QSize(720, 640)
_COPIED_MS = 1500
_FIGURE_SIDE = 512


class Inspector(QDialog):
    """The window's one inspector: shows the trace of the answer that was asked for last."""

    def __init__(self, theme: Theme, previews: PreviewMaker, parent: QWidget):
        super().__init__(parent)
        self.setObjectName("inspector")
        self.setWindowTitle(self.tr("Inspector"))
        self.resize(_FIRST)
        ScreenFit(self)
        self._theme, self._previews = theme, previews
        self._trace: Trace | None = None
        self._serial = 0
        self._build()
        previews.made.connect(self._on_made)
        self._copied = QTimer(self, singleShot=True, interval=_COPIED_MS)
        self._copied.timeout.connect(self._on_copied_over)

    @property
    def trace(self) -> Trace | None:
        """What is shown; None while it is being made."""
        return self._trace

    def show_waiting(self, prompt: str) -> None:
        """Shows that the trace of the answer to `prompt` is being made."""
        self._serial += 1
        self._trace = None
        self.prompt_label.setText(" ".join(prompt.split()))
        self._show_message(self.tr("Tracing the answer…"))

    def show_reason(self, text: str) -> None:
        """Shows why there is no trace."""
        self._show_message(text)

    def show_trace(
        self, trace: Trace, picture: Picture, preprocessing: ImagePreprocessing | None
    ) -> None:
        self._trace = trace
        self._show_figures(trace, picture.pixels, preprocessing)
        self._show_facts(trace)
        self.prompt_text.setText(breakable(trace.prompt))
        self.input_flow.show_tokens(trace.input.ids, trace.input.pieces, trace.image_tokens)
        self.output_flow.show_tokens(trace.output.ids, trace.output.pieces)
        self.input_title.setText(self.tr("Input, {count} positions").format(count=trace.positions))
        one, many = self.tr("Output, 1 id"), self.tr("Output, {count} ids")
        if not trace.is_output_exact:
            one = self.tr("Output, 1 id, encoded again from the saved text")
            many = self.tr("Output, {count} ids, encoded again from the saved text")
        self.output_title.setText(counted(len(trace.output.ids), one, many))
        self.message.hide()
        self.scroll_area.show()
        self.scroll_area.verticalScrollBar().setValue(0)
        for button in (self.markdown_button, self.json_button):
            button.setEnabled(True)

    # Parts

    def _build(self) -> None:
        self.prompt_label = ElidedLabel()
        self.prompt_label.setProperty("class", "title")
        self.message = QLabel()
        self.message.setObjectName("inspector_message")
        self.message.setWordWrap(True)
        self.message.setAlignment(Qt.AlignmentFlag.AlignCenter)
        page = QWidget()
        page.setObjectName("inspector_page")
        self._sections = QVBoxLayout(page)
        self._sections.setContentsMargins(24, 4, 24, 24)
        self._sections.setSpacing(8)
        self._build_picture()
        self._build_words()
        self._build_cost()
        self._sections.addStretch(1)
        self.scroll_area = QScrollArea()
        self.scroll_area.setAccessibleName(self.tr("Trace"))
        self.scroll_area.setFrameShape(QFrame.Shape.NoFrame)
        self.scroll_area.setWidgetResizable(True)
        self.scroll_area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.scroll_area.setWidget(page)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 16, 0, 16)
        column.setSpacing(8)
        head = QHBoxLayout()
        head.setContentsMargins(24, 0, 24, 0)
        head.addWidget(self.prompt_label)
        column.addLayout(head)
        column.addWidget(self.message, 1)
        column.addWidget(self.scroll_area, 1)
        column.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        self.markdown_button = QPushButton(self.tr("Copy as &Markdown"))
        self.json_button = QPushButton(self.tr("Copy as &JSON"))
        self.json_button.setToolTip(self.tr("The format of onlooker caption --trace"))
        self.close_button = QPushButton(self.tr("Close"))
        for button in (self.markdown_button, self.json_button):
            self._theme.set_icon(button, "copy", "text_quiet")
        self.markdown_button.clicked.connect(self._on_markdown_copied)
        self.json_button.clicked.connect(self._on_json_copied)
        self.close_button.clicked.connect(self.close)
        row = QHBoxLayout()
        row.setContentsMargins(24, 8, 24, 0)
        row.setSpacing(8)
        row.addWidget(self.markdown_button)
        row.addWidget(self.json_button)
        row.addStretch(1)
        row.addWidget(self.close_button)
        for button in (self.markdown_button, self.json_button):
            button.setAutoDefault(False)
        return row

    def _build_picture(self) -> None:
        self._sections.addWidget(section_title(self.tr("Image")))
        self.picture_figure = PatchFigure(self._theme)
        self.picture_figure.setAccessibleName(self.tr("Original image"))
        self.given_figure = PatchFigure(self._theme)
        self.given_figure.setAccessibleName(self.tr("What the model sees, with patches"))
        self.picture_caption, self.given_caption = quiet_label(), quiet_label()
        for caption in (self.picture_caption, self.given_caption):
            caption.setWordWrap(True)
            caption.setMinimumWidth(1)
            # One line or two: what is below does not move when the text changes.
            caption.setMinimumHeight(2 * caption.fontMetrics().lineSpacing())
            caption.setAlignment(Qt.AlignmentFlag.AlignTop)
        figures = QGridLayout()
        figures.setHorizontalSpacing(24)
        figures.setVerticalSpacing(4)
        figures.addWidget(self.picture_figure, 0, 0)
        figures.addWidget(self.given_figure, 0, 1)
        figures.addWidget(self.picture_caption, 1, 0, Qt.AlignmentFlag.AlignTop)
        figures.addWidget(self.given_caption, 1, 1, Qt.AlignmentFlag.AlignTop)
        figures.setColumnStretch(0, 1)
        figures.setColumnStretch(1, 1)
        self._sections.addLayout(figures)
        self._sections.addSpacing(4)
        self.picture_facts = FactsTable()
        self._sections.addWidget(self.picture_facts)

    def _build_words(self) -> None:
        self._sections.addWidget(section_title(self.tr("Prompt")))
        self.prompt_text = QLabel()
        self.prompt_text.setProperty("class", "listing")
        self.prompt_text.setFont(_fixed_font(self._theme))
        self.prompt_text.setTextFormat(Qt.TextFormat.PlainText)
        self.prompt_text.setWordWrap(True)
        make_selectable(self.prompt_text, by_keyboard=True)
        self._sections.addWidget(self.prompt_text)
        self.input_title, self.input_description, self.input_flow = self._flow(self.tr("Input ids"))
        self.output_title, self.output_description, self.output_flow = self._flow(
            self.tr("Output ids")
        )
        self.input_flow.patch_reached.connect(self._on_patch_reached)
        self.given_figure.patch_reached.connect(self._on_patch_reached)

    def _flow(self, name: str) -> tuple[QLabel, QLabel, TokenFlow]:
        title, description, flow = section_title(name), quiet_label(), TokenFlow(self._theme, name)
        flow.setFont(_fixed_font(self._theme))
        flow.described.connect(description.setText)
        description.setAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignBottom)
        head = QHBoxLayout()
        head.addWidget(title)
        head.addWidget(description, 1, Qt.AlignmentFlag.AlignBottom)
        self._sections.addLayout(head)
        self._sections.addWidget(flow)
        return title, description, flow

    def _build_cost(self) -> None:
        self._sections.addWidget(section_title(self.tr("Ending")))
        self.ending_facts = FactsTable()
        self._sections.addWidget(self.ending_facts)
        self._sections.addWidget(section_title(self.tr("Times")))
        self.time_facts = FactsTable(self._theme)
        self._sections.addWidget(self.time_facts)
        self._sections.addWidget(section_title(self.tr("Memory")))
        self.memory_facts = FactsTable()
        self._sections.addWidget(self.memory_facts)

    # What is shown

    def _show_message(self, text: str) -> None:
        self.message.setText(breakable(text))
        self.message.show()
        self.scroll_area.hide()
        for button in (self.markdown_button, self.json_button):
            button.setEnabled(False)

    def _show_figures(
        self, trace: Trace, pixels: Image.Image, preprocessing: ImagePreprocessing | None
    ) -> None:
        self._serial += 1
        self.picture_figure.show_image(QImage())
        self.given_figure.show_image(QImage())
        size = sides_text(*trace.image.size)
        self.picture_caption.setText(self.tr("{size} pixels").format(size=size))
        side, image = trace.image.values_shape[-1], trace.image
        self._given_text = ""
        if image.padded_size and image.patch_grid:
            self._given_text = self.tr(
                "padded to {padded}, resized to {sides}, {grid} patches"
            ).format(
                padded=sides_text(*image.padded_size),
                sides=sides_text(side, side),
                grid=sides_text(*image.patch_grid),
            )
        self.given_caption.setText(self._given_text)
        for part in (self.given_figure, self.given_caption):
            part.setVisible(preprocessing is not None)
        self._previews.ask(("inspected", self._serial, "picture"), partial(_fitted, pixels))
        if preprocessing is not None:
            self._previews.ask(
                ("inspected", self._serial, "given"), partial(_given, pixels, preprocessing)
            )

    def _show_facts(self, trace: Trace) -> None:
        low, high = trace.image.values_range
        values = self.tr("{shape}  {dtype}, from {low} to {high}").format(
            shape=sides_text(*trace.image.values_shape),
            dtype=trace.image.values_dtype,
            low=f"{low:.3f}",
            high=f"{high:.3f}",
        )
        self.picture_facts.show_rows(
            [
                (self.tr("Pixel values"), values),
                *(
                    [(self.tr("Image features"), sides_text(*trace.image.tower_features_shape))]
                    if trace.image.tower_features_shape
                    else []
                ),
                (self.tr("Projected features"), sides_text(*trace.image.projected_features_shape)),
            ]
        )
        ending = [
            (self.tr("Ending"), ending_text(trace.ending)),
            (self.tr("Stop string"), trace.stop_string),
            (
                self.tr("Maximum length"),
                counted(trace.max_new_tokens, self.tr("1 token"), self.tr("{count} tokens")),
            ),
        ]
        if trace.seed is not None:
            ending.append((self.tr("Seed"), str(trace.seed)))
        self.ending_facts.show_rows(ending)
        longest = max([*(time.seconds for time in trace.times), 1e-9])
        self.time_facts.show_rows(
            [(stage_text(time.stage), shown_seconds(time.seconds)) for time in trace.times],
            [time.seconds / longest for time in trace.times],
        )
        model = self.tr("{name}, {dtype}, on {device}").format(
            name=trace.model, dtype=trace.dtype, device=trace.device
        )
        self.memory_facts.show_rows(
            [
                (self.tr("Model"), model),
                *((memory_text(use.name), bytes_text(use.bytes)) for use in trace.memory),
            ]
        )

    @Slot(object, object)
    def _on_made(self, key: object, made: object) -> None:
        if self._trace is None or not isinstance(made, QImage):
            return
        match key:
            case ("inspected", self._serial, "picture"):
                self.picture_figure.show_image(made)
            case ("inspected", self._serial, "given"):
                self.given_figure.show_image(made, *(self._trace.image.patch_grid or (1, 1)))

    @Slot(int)
    def _on_patch_reached(self, patch: int) -> None:
        self.given_figure.mark(patch)
        if self._trace is None or self._trace.image.patch_grid is None:
            return
        if patch < 0:
            self.given_caption.setText(self._given_text)
            return
        row, column = divmod(patch, self._trace.image.patch_grid[1])
        position = self._trace.input.ids.index(-200) + patch
        self.given_caption.setText(
            self.tr("patch {number}, row {row}, column {column}, position {position}").format(
                number=patch + 1, row=row + 1, column=column + 1, position=position
            )
        )

    @Slot()
    def _on_markdown_copied(self) -> None:
        self._copy(as_markdown)

    @Slot()
    def _on_json_copied(self) -> None:
        self._copy(as_json)

    def _copy(self, write: Callable[[Trace], str]) -> None:
        if self._trace is not None:
            QGuiApplication.clipboard().setText(write(self._trace))
            button = self.markdown_button if write is as_markdown else self.json_button
            self._theme.set_icon(button, "check", "accent")
            self._copied.start()

    @Slot()
    def _on_copied_over(self) -> None:
        for button in (self.markdown_button, self.json_button):
            self._theme.set_icon(button, "copy", "text_quiet")


def _fixed_font(theme: Theme) -> QFont:
    font = QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont)
    font.setPixelSize(max(12, theme.body_pixels - 1))
    return font


def _fitted(pixels: Image.Image) -> QImage:
    factor = min(1.0, _FIGURE_SIDE / max(pixels.size))
    width, height = (max(1, round(side * factor)) for side in pixels.size)
    return scaled(pixels, QSize(width, height))


def _given(pixels: Image.Image, preprocessing: ImagePreprocessing) -> QImage:
    from core.picture import given_pixels

    return to_image(given_pixels(pixels, preprocessing))
