"""Notes the hashes of a folder of weights, which the package checks before it loads them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from pytest_retrieval_robust.models.tiny import SUMS


def write_sums(folder: Path) -> None:
    """Write `SUMS` into `folder`: the SHA-256 of every other file but the card, as
    `sha256sum` prints it.
    """
    files = sorted(
        file for file in folder.iterdir() if file.name not in (SUMS, "README.md")
    )
    lines = [
        f"{sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in files
    ]
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
