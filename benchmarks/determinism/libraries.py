"""Which versions a Python has: `python -m benchmarks.determinism.libraries` prints them as JSON."""

from __future__ import annotations

import json
import platform
import subprocess
import zlib
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

_LIBRARIES = (
    "torch",
    "transformers",
    "tokenizers",
    "open_clip_torch",
    "numpy",
    "pillow",
    "pytest",
)
PYTHON = "Python"


def versions() -> dict[str, str]:
    """Versions of this Python and of what may bear on ranks, by name."""
    found = {PYTHON: platform.python_version(), "zlib": zlib.ZLIB_RUNTIME_VERSION}
    for library in _LIBRARIES:
        try:
            found[library] = version(library)
        except PackageNotFoundError:
            found[library] = "none"
    return found


def versions_of(python: Path, root: Path) -> dict[str, str]:
    """The versions of another Python."""
    printed = subprocess.run(
        [str(python), "-m", "benchmarks.determinism.libraries"],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    found: dict[str, str] = json.loads(printed)
    return found


def difference(ours: Mapping[str, str], theirs: Mapping[str, str]) -> str:
    """The Python, and the libraries that are of other versions, in words."""
    others = [
        f"{name} {ours[name]} ({theirs.get(name, 'none')})"
        for name in ours
        if name != PYTHON and ours[name] != theirs.get(name)
    ]
    libraries = ", ".join(others) or "the same libraries"
    return f"Python {ours[PYTHON]} ({theirs[PYTHON]}), {libraries}"


if __name__ == "__main__":
    print(json.dumps(versions()))
