"""The rows of the model dialog: what is here, what can be had, and how far each is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from PySide6.QtCore import (
    QAbstractListModel,
    QCoreApplication,
    QModelIndex,
    QPersistentModelIndex,
    QRect,
    QRectF,
    QSize,
    Qt,
)
from PySide6.QtGui import QFont, QFontMetrics, QPainter
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem, QWidget

from core.hub import DeviceMemory, Entry, JobKind, JobState, ModelJob
from core.model_reference import hub_id_in, short_name
from core.transcript import Precision
from gui.widgets.measures import bytes_text
from gui.widgets.text_direction import elided
from gui.widgets.theme import Theme

_MARGIN, _GAP, _BAR = 12, 3, 3
_TEXT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignVCenter

translate = QCoreApplication.translate
Index = QModelIndex | QPersistentModelIndex


@dataclass(frozen=True)
class Row:
    """A heading, or an entry with what is done to it."""

    heading: str = ""
    entry: Entry | None = None
    job: ModelJob | None = None
    is_loaded: bool = False


class ModelsListModel(QAbstractListModel):
    """Headings and entries, as many as the words that are looked for leave."""

    def __init__(self, parent: QWidget):
        super().__init__(parent)
        self._entries: Sequence[Entry] = ()
        self._memory: DeviceMemory | None = None
        self._jobs: dict[str, ModelJob] = {}
        self._loaded = ""
        self._words = ""
        self._rows: list[Row] = []

    @property
    def count(self) -> int:
        """How many entries there are, looked for or not."""
        return len(self._entries)

    @property
    def memory(self) -> DeviceMemory | None:
        return self._memory

    def show_entries(self, entries: Sequence[Entry], memory: DeviceMemory) -> None:
        self._entries, self._memory = entries, memory
        self._fill()

    def show_jobs(self, jobs: Mapping[str, ModelJob]) -> None:
        self._jobs = dict(jobs)
        self._fill()

    def show_job(self, key: str, job: ModelJob | None) -> None:
        if job is None:
            self._jobs.pop(key, None)
        else:
            self._jobs[key] = job
        for number, row in enumerate(self._rows):
            if row.entry and is_about(key, row.entry):
                self._rows[number] = self._row(row.entry)
                self.dataChanged.emit(self.index(number), self.index(number))

    def show_loaded(self, key: str) -> bool:
        """False if nothing has changed: loading reports progress sixty times a second."""
        if key == self._loaded:
            return False
        self._loaded = key
        self._fill()
        return True

    def look_for(self, words: str) -> None:
        self._words = words.strip()
        self._fill()

    def row(self, index: Index) -> Row:
        return self._rows[index.row()] if index.isValid() else Row()

    def index_of(self, key: str) -> QModelIndex:
        for number, row in enumerate(self._rows):
            if row.entry and row.entry.key == key:
                return self.index(number)
        return QModelIndex()

    def about(self, hub_id: str) -> Entry | None:
        """The model with this id, or else one of which it is the missing part."""
        found = [entry for entry in self._entries if hub_id and is_about(hub_id, entry)]
        found.sort(key=lambda entry: entry.hub_id != hub_id)
        return found[0] if found else None

    def first(self) -> QModelIndex:
        return next((self.index(n) for n, row in enumerate(self._rows) if row.entry), QModelIndex())

    def rowCount(self, parent: Index = QModelIndex()) -> int:  # noqa: B008 - Qt's own default.
        return 0 if parent.isValid() else len(self._rows)

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> Any:
        row = self.row(index)
        if role == Qt.ItemDataRole.DisplayRole:
            return row.entry.name if row.entry else row.heading
        if role == Qt.ItemDataRole.AccessibleTextRole and row.entry:
            return f"{row.entry.name}, {', '.join(filter(None, (below(row, self._memory),)))}"
        if role == Qt.ItemDataRole.ToolTipRole and row.entry:
            return row.entry.hub_id or row.entry.name
        return None

    def flags(self, index: Index) -> Qt.ItemFlag:
        if self.row(index).entry is None:
            return Qt.ItemFlag.NoItemFlags
        return Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable

    def _fill(self) -> None:
        words = self._words.casefold()
        named = hub_id_in(self._words)
        found = [
            entry
            for entry in self._entries
            if all(word in f"{entry.name} {entry.key}".casefold() for word in words.split())
            or (named and entry.hub_id == named)
        ]
        parts = [
            (self.tr("On this computer"), [entry for entry in found if entry.local]),
            (self.tr("On servers"), [entry for entry in found if entry.servers]),
            (
                self.tr("Available to download"),
                [entry for entry in found if not entry.local and not entry.servers],
            ),
        ]
        if named and not any(entry.hub_id == named for entry in self._entries):
            parts.append((self.tr("On the hub"), [Entry(named, short_name(named), 0, named)]))
        rows: list[Row] = []
        for heading, entries in parts:
            if entries:
                rows += [Row(heading), *map(self._row, entries)]
        self.beginResetModel()
        self._rows = rows
        self.endResetModel()

    def _row(self, entry: Entry) -> Row:
        return Row(entry=entry, job=job_of(entry, self._jobs), is_loaded=entry.key == self._loaded)


def is_about(key: str, entry: Entry) -> bool:
    """Whether a job of this key concerns the model."""
    return key in (entry.key, entry.hub_id, entry.local.missing_id if entry.local else "")


def job_of(entry: Entry, jobs: Mapping[str, ModelJob]) -> ModelJob | None:
    """What is done to a model; its download is known by its hub id."""
    if entry.key in jobs:
        return jobs[entry.key]
    if entry.local and entry.local.missing_id in jobs:
        return jobs[entry.local.missing_id]
    is_here = entry.local is not None and entry.local.is_complete
    return None if is_here else jobs.get(entry.hub_id)


def below(row: Row, memory: DeviceMemory | None) -> str:
    """The second line of a row."""
    entry, job = row.entry, row.job
    if entry is None:
        return ""
    if job and job.state is JobState.FAILED:
        return translate("ModelRow", "Failed")
    if job and job.state is JobState.WAITING:
        return translate("ModelRow", "Waiting for another download")
    if job and job.progress and job.progress.total:
        share = job.progress.done / job.progress.total
        return f"{kind_text(job.kind)}  ·  {share:.0%}"
    if job:
        return f"{kind_text(job.kind)}…"
    if entry.local and not entry.local.is_complete:
        share = entry.local.size / entry.local.total
        return translate("ModelRow", "Paused at {percent}").format(percent=f"{share:.0%}")
    if entry.servers:
        in_use = translate("ModelRow", "In use")
        return f"{in_use}  ·  {entry.servers.hosts}" if row.is_loaded else entry.servers.hosts
    if row.is_loaded:
        loaded = translate("ModelRow", "Loaded")
        return f"{loaded}  ·  {bytes_text(entry.size)}"
    if entry.local and entry.local.problem:
        return translate("ModelRow", "Cannot run")
    if not entry.size:
        return translate("ModelRow", "Size unknown")
    return f"{bytes_text(entry.size)}  ·  {fit(entry, memory)}".removesuffix("  ·  ")


def fit(entry: Entry, memory: DeviceMemory | None) -> str:
    """Whether it fits, in three words at most; "" while that is unknown."""
    if not entry.needs or memory is None or memory.free is None:
        return ""
    best = memory.best_precision(entry.needs)
    if best is None:
        return translate("ModelRow", "too large")
    return translate("ModelRow", "fits in {bits}").format(bits=in_bits(best))


def in_bits(precision: Precision) -> str:
    """Returns "16 bits" for 16-bit."""
    bits = precision.removesuffix("-bit")
    return translate("ModelRow", "{count} bits").format(count=bits) if bits != precision else bits


def kind_text(kind: JobKind) -> str:
    """Returns what is being done, as a word for the person."""
    match kind:
        case JobKind.LOOK_UP:
            return translate("ModelRow", "Looking up")
        case JobKind.DOWNLOAD:
            return translate("ModelRow", "Downloading")
        case JobKind.MOVE:
            return translate("ModelRow", "Moving")
        case JobKind.CHECK:
            return translate("ModelRow", "Checking")
        case JobKind.REMOVE:
            return translate("ModelRow", "Removing")


class ModelsDelegate(QStyledItemDelegate):
    """Paints a row: the name, what is to be said of it, and a bar while something is under way."""

    def __init__(self, theme: Theme, model: ModelsListModel, parent: QWidget):
        super().__init__(parent)
        self._theme = theme
        self._model = model

    def sizeHint(self, option: QStyleOptionViewItem, index: Index) -> QSize:
        metrics = QFontMetrics(option.font)  # type: ignore[attr-defined]
        row = self._model.row(index)
        if row.entry is None:
            return QSize(160, metrics.height() + (16 if index.row() else 12))
        small = QFontMetrics(_small(option.font))  # type: ignore[attr-defined]
        return QSize(160, metrics.height() + small.height() + _GAP + 16)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row = self._model.row(index)
        area: QRect = option.rect  # type: ignore[attr-defined]
        font: QFont = option.font  # type: ignore[attr-defined]
        state: QStyle.StateFlag = option.state  # type: ignore[attr-defined]
        inside = area.adjusted(_MARGIN, 0, -_MARGIN, 0)
        painter.save()
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        if row.entry is None:
            painter.setFont(_small(font))
            painter.setPen(self._theme.colour("text_quiet"))
            flags = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignBottom
            painter.drawText(inside.adjusted(0, 0, 0, -4), flags, row.heading)
        else:
            is_selected = bool(state & QStyle.StateFlag.State_Selected)
            if is_selected or state & QStyle.StateFlag.State_MouseOver:
                token = "accent_soft" if is_selected else "raised"
                painter.setPen(Qt.PenStyle.NoPen)
                painter.setBrush(self._theme.colour(token))
                painter.drawRoundedRect(QRectF(area.adjusted(4, 1, -4, -1)), 6, 6)
            if is_selected and state & QStyle.StateFlag.State_HasFocus:
                painter.setPen(self._theme.colour("accent"))
                painter.setBrush(Qt.BrushStyle.NoBrush)
                painter.drawRoundedRect(QRectF(area).adjusted(4.5, 1.5, -4.5, -1.5), 6, 6)
            self._paint_entry(painter, font, inside, row)
        painter.restore()

    def _paint_entry(self, painter: QPainter, font: QFont, inside: QRect, row: Row) -> None:
        entry = row.entry
        assert entry
        metrics = QFontMetrics(font)
        first = QRect(inside.left(), inside.top() + 8, inside.width(), metrics.height())
        painter.setFont(font)
        painter.setPen(self._theme.colour("text"))
        elide = Qt.TextElideMode.ElideMiddle
        painter.drawText(first, _TEXT, elided(metrics, entry.name, elide, first.width()))
        small = _small(font)
        second = QRect(
            first.left(), first.bottom() + _GAP, first.width(), QFontMetrics(small).height()
        )
        painter.setFont(small)
        is_bad = (row.job and row.job.state is JobState.FAILED) or (
            entry.local and entry.local.problem and not row.job
        )
        is_good = row.is_loaded or (row.job and row.job.is_under_way)
        painter.setPen(
            self._theme.colour("danger" if is_bad else "accent" if is_good else "text_quiet")
        )
        facts, mode = below(row, self._model.memory), Qt.TextElideMode.ElideRight
        text = elided(QFontMetrics(small), facts, mode, second.width())
        painter.drawText(second, _TEXT, text)
        if row.job and row.job.is_under_way and row.job.progress and row.job.progress.total:
            share = row.job.progress.done / row.job.progress.total
            bar = QRectF(inside.left(), second.bottom() + 2, inside.width(), _BAR)
            painter.setPen(Qt.PenStyle.NoPen)
            painter.setBrush(self._theme.colour("border"))
            painter.drawRoundedRect(bar, 1.5, 1.5)
            done = max(_BAR, bar.width() * share)
            if painter.layoutDirection() == Qt.LayoutDirection.RightToLeft:
                bar.setLeft(bar.right() - done)
            bar.setWidth(done)
            painter.setBrush(self._theme.colour("accent"))
            painter.drawRoundedRect(bar, 1.5, 1.5)


def _small(font: QFont) -> QFont:
    small = QFont(font)
    small.setPixelSize(max(12, font.pixelSize() - 1))
    return small
