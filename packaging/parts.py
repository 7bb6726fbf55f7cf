"""Splits a download that is more than a release takes in one file, with a script that joins it."""

from __future__ import annotations

import hashlib
from pathlib import Path

# A file of a GitHub release is smaller than 2 GiB.
LARGEST_FILE_BYTES = 2_000_000_000
_BLOCK = 2**24

_SCRIPT = """\
#!/bin/sh
# Joins the parts of {name}, which is more than a release takes in one file, and checks it.
set -eu
cd "$(dirname "$0")"
trap 'rm -f "{name}.joining"' EXIT
cat {parts} > "{name}.joining"
if ! echo "{checksum}  {name}.joining" | sha256sum --check --status -; then
  echo "A part is damaged or missing. Download all {count} parts again." >&2
  exit 1
fi
mv "{name}.joining" "{name}"
echo "{name} is whole. The parts can be removed."
"""


def split(archive: Path, largest: int = LARGEST_FILE_BYTES) -> list[Path]:
    """Return what to publish: the archive if it is small enough, else its parts and a script.

    The archive is removed when it was split; the script makes it again.
    """
    size = archive.stat().st_size
    if size <= largest:
        return [archive]
    digest = hashlib.sha256()
    parts: list[Path] = []
    with archive.open("rb") as whole:
        for number in range(1, -(-size // largest) + 1):
            part = archive.with_name(f"{archive.name}.part-{number:02}")
            parts.append(part)
            with part.open("wb") as file:
                left = largest
                while left and (block := whole.read(min(_BLOCK, left))):
                    digest.update(block)
                    file.write(block)
                    left -= len(block)
    script = archive.with_name(f"{archive.name}-join.sh")
    text = _SCRIPT.format(
        name=archive.name,
        parts=" ".join(f'"{part.name}"' for part in parts),
        checksum=digest.hexdigest(),
        count=len(parts),
    )
    script.write_text(text, "utf-8", newline="\n")
    script.chmod(0o755)
    archive.unlink()
    return [*parts, script]
