"""The fragments of the changelog: one file per change in `changes/`, see `changes/README.md`."""

from __future__ import annotations

from pathlib import Path

from .source import ReleaseError

FOLDER = "changes"
_NO_FRAGMENTS = frozenset(["README.md", "_template.md"])


def fragments(root: Path) -> list[str]:
    """Names of the fragments that no release has yet."""
    return sorted(
        path.name
        for path in (root / FOLDER).iterdir()
        if path.name not in _NO_FRAGMENTS
    )


def require_none_left(root: Path) -> None:
    """Raise `ReleaseError` where a change would be missing in a release's changelog."""
    left = fragments(root)
    if left:
        raise ReleaseError(
            f"Expected {FOLDER}/ without fragments in a release, got {len(left)}"
            f" ({left[0]}, ...). Run `towncrier build --yes`, commit, and tag that"
            " commit."
        )
