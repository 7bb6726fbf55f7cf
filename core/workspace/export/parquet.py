"""Parquet files, by pyarrow, which is an extra."""

# pyarrow comes without types, and may be missing.
# pyright: basic, reportMissingImports=false

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO

from core.errors import StoreError
from core.message import translatable
from core.workspace.export.items import ExportItem, ExportReport
from core.workspace.export.output import Output
from core.workspace.export.tables import OneFile, as_unicode, read_image, used_columns

_ROWS = 1_000
_BYTES = 100_000_000


class Parquet(OneFile):
    """A table for pandas, Spark and `datasets`; with the images in it, if wished."""

    def fill(
        self, items: Sequence[ExportItem], file: BinaryIO, output: Output, report: ExportReport
    ) -> None:
        """Writes the table in groups of rows. Raises StoreError if pyarrow is missing."""
        arrow, parquet = _pyarrow()
        columns = used_columns([item.record() for item in items])
        schema = _schema(arrow, columns, embeds_images=self.options.embeds_images)
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for rows in self._groups(items, output, report):
                writer.write_table(arrow.Table.from_pylist(rows, schema=schema))
                report.images += len(rows)

    def _groups(
        self, items: Iterable[ExportItem], output: Output, report: ExportReport
    ) -> Iterator[list[dict[str, Any]]]:
        rows: list[dict[str, Any]] = []
        size = 0
        for item in items:
            output.stop_if_asked()
            row = {key: _unicode(value) for key, value in item.record().items()}
            if self.options.embeds_images:
                data = read_image(item, report)
                if data is None:
                    continue
                row["image"] = {"bytes": data, "path": row["file_name"]}
                size += len(data)
            rows.append(row)
            if len(rows) >= _ROWS or size > _BYTES:
                yield rows
                rows, size = [], 0
        if rows:
            yield rows


def parquet_records(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the rows of a file, with its texts and the paths of its images, but without the
    images. Raises StoreError."""
    arrow, parquet = _pyarrow()
    try:
        with parquet.ParquetFile(path) as file:
            wanted = [
                name
                for field in file.schema_arrow
                for name in _columns_of(arrow.types, field.name, field.type)
            ]
            for batch in file.iter_batches(columns=wanted):
                yield from batch.to_pylist()
    except (OSError, arrow.ArrowException) as error:
        reason = " ".join(str(error).split())[:200]
        text = translatable("core", "“{name}” cannot be read ({reason}). Save it again.")
        raise StoreError(text.format(name=path.name, reason=reason)) from error


def _columns_of(types: Any, name: str, kind: Any) -> list[str]:
    if types.is_string(kind) or types.is_large_string(kind):
        return [name]
    has_path = types.is_struct(kind) and kind.get_field_index("path") >= 0
    return [f"{name}.path"] if has_path else []


def _schema(arrow: Any, columns: Sequence[str], *, embeds_images: bool) -> Any:
    """Returns the columns, and for `datasets` of Hugging Face which of them is an image."""
    kinds = {
        "width": ("int32", arrow.int32()),
        "height": ("int32", arrow.int32()),
        "is_decorative": ("bool", arrow.bool_()),
    }
    fields: list[Any] = []
    features: dict[str, Any] = {}
    if embeds_images:
        image = arrow.struct([("bytes", arrow.binary()), ("path", arrow.string())])
        fields.append(arrow.field("image", image))
        features["image"] = {"_type": "Image"}
    for column in columns:
        name, kind = kinds.get(column, ("string", arrow.string()))
        feature: dict[str, Any] = {"dtype": name, "_type": "Value"}
        if column == "keywords":
            kind, feature = arrow.list_(kind), {"feature": feature, "_type": "List"}
        fields.append(arrow.field(column, kind))
        features[column] = feature
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    return arrow.schema(fields, metadata=metadata)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow as arrow
        from pyarrow import parquet
    except ImportError as error:
        raise StoreError(
            translatable(
                "core",
                "Parquet needs the package pyarrow. Install it as the extra “datasets” of "
                "Onlooker, or choose JSON lines.",
            )
        ) from error
    return arrow, parquet


def _unicode(value: Any) -> Any:
    return as_unicode(value) if isinstance(value, str) else value
