"""Paths that tables and archives name: inside their root, or refused."""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath

from ...core.errors import DatasetError
from ...core.files import is_regular


def shown_path(path: str | Path) -> str:
    """A path that the user typed, as messages may show it: an absolute one by its last part."""
    written = Path(path)
    return written.name if written.is_absolute() else str(path)


def require_root(path: str | Path | None, option: str, name: str, holds: str) -> Path:
    """A folder that the user gave, resolved; `DatasetError` says what belongs there."""
    if path is None:
        raise DatasetError(
            f"Expected {option}=FOLDER for {name} ({holds}), got none. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    root = Path(path).expanduser()
    if not root.is_dir():
        raise DatasetError(
            f"Expected a folder of {name} ({holds}), got no folder at"
            f" {option}={shown_path(path)!r}. Fix the path."
        )
    return root.resolve()


def require_file(path: str | Path | None, option: str, name: str, holds: str) -> Path:
    """A file that the user gave; `DatasetError` says what it should hold."""
    if path is None:
        raise DatasetError(
            f"Expected {option}=FILE for {name} ({holds}), got none. Give it to"
            f" load_dataset, or under [datasets.{name}] in robust.toml."
        )
    file = Path(path).expanduser()
    if not is_regular(file):
        got = "no regular file" if file.exists() else "no file"
        raise DatasetError(
            f"Expected a file of {name} ({holds}), got {got} at"
            f" {option}={shown_path(path)!r}. Fix the path."
        )
    return file


def checked_path(path: str, where: str) -> str:
    """A relative path as written in a table.

    Raises `DatasetError` for an absolute path and for one with `..` or a null byte.
    """
    if not path.strip():
        raise DatasetError(
            f"Expected a path, got a blank one in {where}. Fill it in, or leave that"
            " row out."
        )
    # The table may have been written on another system than this one: both rules hold.
    posix = PurePosixPath(path)
    windows = PureWindowsPath(path)
    climbs = ".." in posix.parts or ".." in windows.parts
    is_absolute = posix.is_absolute() or windows.drive or windows.root
    if climbs or is_absolute or "\0" in path:
        raise DatasetError(
            "Expected a path inside the data set's root, got one that leads out of it"
            f" in {where}. Write it relative to the root, without '..', or choose the"
            " root that holds it."
        )
    return path


def relative_path(path: str, root: Path, where: str) -> str:
    """A path as written in a table, relative to the resolved `root`.

    It may be absolute, if it lies inside. Raises `DatasetError` for one that leads out.
    """
    posix = PurePosixPath(path)
    if not posix.is_absolute() or ".." in posix.parts or "\0" in path:
        return checked_path(path, where)
    # `root` is resolved; the path may be written through the same links, or without.
    for written in (Path(path), _resolved(Path(path))):
        if written.is_relative_to(root) and written != root:
            return checked_path(written.relative_to(root).as_posix(), where)
    raise DatasetError(
        "Expected paths inside the data set's root, got an absolute one that lies"
        f" outside of root={root.name!r} in {where}. Give root=FOLDER, the folder that"
        " holds all images, or write paths relative to it."
    )


def _resolved(path: Path) -> Path:
    """A path without links; as it is if it cannot be followed."""
    try:
        return path.resolve()
    except (OSError, RuntimeError):
        return path


def same_file(path: str) -> str:
    """What spellings of one relative path have in common: `./a//b.png` is `a/b.png`."""
    return PurePosixPath(path).as_posix()


def inside(root: Path, path: str, where: str) -> Path:
    """The file of a path below the resolved `root`.

    Raises `DatasetError` if links lead out of the root.
    """
    file = root / checked_path(path, where)
    try:
        leads_out = not file.resolve().is_relative_to(root)
    # A loop of links, or a name that no file system takes.
    except (OSError, RuntimeError):
        leads_out = file.is_symlink()
    if leads_out:
        raise DatasetError(
            "Expected a file inside the data set's root, got one that a link leads out"
            f" of it: {where}. Copy the file into the root, or choose another root."
        )
    return file
