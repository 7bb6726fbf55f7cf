"""How large each file of a model's folder may be; a larger one is refused before it is opened.

The bounds leave room above what published models bring: their largest `tokenizer.json` has 33 MB,
their largest index 10 MB, `tokenizer_config.json` 2 MB, chat template 30 kB.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

from core.errors import CheckpointError
from core.files import UnreadableFile, open_regular
from core.formatting import format_bytes
from core.message import translatable

_MB = 1_000_000
_SETTINGS = 4 * _MB
_TEMPLATE = 1 * _MB
_LARGEST = {
    # Some list a vocabulary of images, in 2 MB.
    "config.json": 8 * _MB,
    "generation_config.json": _SETTINGS,
    "adapter_config.json": _SETTINGS,
    "preprocessor_config.json": _SETTINGS,
    "processor_config.json": _SETTINGS,
    "video_preprocessor_config.json": _SETTINGS,
    "special_tokens_map.json": _SETTINGS,
    "chat_template.json": _TEMPLATE,
    "chat_template.jinja": _TEMPLATE,
    "tokenizer_config.json": 16 * _MB,
    "added_tokens.json": 16 * _MB,
    "tokenizer.json": 64 * _MB,
    "tekken.json": 64 * _MB,
    "tokenizer.model": 32 * _MB,
    "vocab.json": 32 * _MB,
    "vocab.txt": 32 * _MB,
    "merges.txt": 32 * _MB,
    "model.safetensors.index.json": 32 * _MB,
    "pytorch_model.bin.index.json": 32 * _MB,
}
_MORE_TEMPLATES = "additional_chat_templates"
_MOST_TEMPLATES = 32


def largest_size(name: str) -> int:
    """Returns the bytes that a file of settings, a template or a vocabulary may have."""
    return _LARGEST.get(name, _SETTINGS)


def small_files(folder: Path) -> Iterator[Path]:
    """The files beside the weights that loaders read, as far as the folder has them."""
    yield from (folder / name for name in sorted(_LARGEST) if (folder / name).exists())
    templates = folder / _MORE_TEMPLATES
    if templates.is_dir():
        found = sorted(templates.glob("*.jinja"))
        if len(found) > _MOST_TEMPLATES:
            raise CheckpointError(
                translatable(
                    "core",
                    "“{folder}” has too many chat templates ({count}). Choose another model.",
                ).format(folder=folder.name, count=f"{len(found):,}")
            )
        yield from found


def require_small_files(folder: Path) -> None:
    """Raises CheckpointError for a file that no model has in this size, or that is no file."""
    for path in small_files(folder):
        most = _TEMPLATE if path.parent.name == _MORE_TEMPLATES else largest_size(path.name)
        require_size(path, most)


def require_size(path: Path, most: int) -> None:
    """Raises CheckpointError if `path` is no regular file of at most `most` bytes."""
    try:
        open_regular(path, most=most).close()
    except OSError as error:
        raise size_error(path, error, most) from error


def size_error(path: Path, error: OSError, most: int) -> CheckpointError:
    """Returns the error to raise where `path` could not be opened as a file of at most `most`."""
    if isinstance(error, UnreadableFile) and error.errno == errno.EOVERFLOW:
        return CheckpointError(
            translatable(
                "core",
                "“{name}” in “{parent}” is larger than {size}, far too large for its kind. "
                "Download it again.",
            ).format(name=path.name, parent=path.parent.name, size=format_bytes(most))
        )
    return CheckpointError(
        translatable(
            "core",
            "“{name}” cannot be read. Download it again.",
        ).format(name=path.name)
    )
