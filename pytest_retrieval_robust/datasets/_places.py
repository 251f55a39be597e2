"""Paths that tables and archives name: inside their root, or refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from ..errors import DatasetError


def require_root(path: str | Path | None, option: str, name: str, holds: str) -> Path:
    """A folder that the user gave, resolved; `DatasetError` says what belongs there."""
    if path is None:
        raise DatasetError(
            f"Expected {option}=FOLDER for {name} ({holds}), got none. Give it to load_dataset, or under "
            f"[datasets.{name}] in robust.toml."
        )
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DatasetError(f"Expected a folder of {name} ({holds}), got {option}={str(path)!r}. Mend the path.")
    return root.resolve()


def require_file(path: str | Path | None, option: str, name: str, holds: str) -> Path:
    """A file that the user gave; `DatasetError` says what it should hold."""
    if path is None:
        raise DatasetError(
            f"Expected {option}=FILE for {name} ({holds}), got none. Give it to load_dataset, or under "
            f"[datasets.{name}] in robust.toml."
        )
    file = Path(path).expanduser()
    if not file.is_file():
        raise DatasetError(f"Expected a file of {name} ({holds}), got {option}={str(path)!r}. Mend the path.")
    return file


def checked_place(place: str, shown: str) -> str:
    """A relative path as written in a table; `DatasetError` for an absolute one or one with `..` or a null byte."""
    posix, windows = PurePosixPath(place), PureWindowsPath(place)
    climbs = ".." in posix.parts or ".." in windows.parts
    if not place.strip() or climbs or posix.is_absolute() or windows.drive or windows.root or "\0" in place:
        raise DatasetError(
            f"Expected a path inside the data set's root, got path={place!r} in {shown}. Write it relative to the "
            "root, without '..'."
        )
    return place


def inside(root: Path, place: str, shown: str) -> Path:
    """The file of a checked place; `DatasetError` where links lead out of the root. `root` is resolved."""
    path = root / checked_place(place, shown)
    try:
        leads_out = not path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a loop of links, or a name that no file system takes
        leads_out = path.is_symlink()
    if leads_out:
        raise DatasetError(
            f"Expected a file inside the data set's root, got one that a link leads out of it: {shown}. Copy the file "
            "into the root, or choose another root."
        )
    return path
