"""Notes the hashes of a folder of weights, which the package checks before it loads them."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from pytest_retrieval_robust.models.tiny import SUMS


def write_sums(folder: Path) -> None:
    """Write `SUMS` into `folder`: the SHA-256 of each file, as `sha256sum` prints it.

    The card may change without the weights, so it has no sum.
    """
    lines = []
    for file in sorted(folder.iterdir()):
        if file.name not in (SUMS, "README.md"):
            digest = sha256(file.read_bytes()).hexdigest()
            lines.append(f"{digest}  {file.name}\n")
    (folder / SUMS).write_text("".join(lines), encoding="utf-8")
