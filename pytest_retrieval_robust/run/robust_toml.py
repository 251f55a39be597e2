"""Which `robust.toml` a run takes, where no option names one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.errors import ConfigError
from .options import names_config

if TYPE_CHECKING:
    import pytest

_FILE = "robust.toml"


def beside_arguments(config: pytest.Config) -> Path | None:
    """The `robust.toml` that the test arguments lie beside or below; None without one."""
    return find_upward(config.args, Path(config.invocation_params.dir), config.rootpath)


def beside_test(file: Path, config: pytest.Config) -> Path | None:
    """The `robust.toml` nearest to a test file, up to the rootdir; None without one."""
    return _nearest(file.parent.resolve(), config.rootpath.resolve())


def find_upward(arguments: Sequence[str], folder: Path, root: Path) -> Path | None:
    """The nearest `robust.toml` of any test argument: in its folder or above, up to `root`.

    Raises `ConfigError` where two arguments have different ones: the gates of neither
    may be lost.
    """
    starts = [folder / argument.split("::")[0] for argument in arguments] or [folder]
    candidates = [_nearest(start.resolve(), root.resolve()) for start in starts]
    files = [file for file in dict.fromkeys(candidates) if file is not None]
    if len(files) > 1:
        raise ConfigError(
            f"Expected one robust.toml for all test arguments, got {files[0]} and"
            f" {files[1]}. Run them apart, or name one with --robust-config."
        )
    return files[0] if files else None


def _nearest(start: Path, root: Path) -> Path | None:
    for folder in [start, *start.parents]:
        if (folder / _FILE).is_file():
            return folder / _FILE
        if folder == root:
            break
    return None


def has_gates_beside(
    config: pytest.Config, items: Sequence[pytest.Item], *, left_out: bool
) -> bool:
    """Whether a `robust.toml` with gates asks for a verdict, although no test of ours runs.

    If tests of ours were collected and all `left_out`, the file is the one that the
    arguments lie below. If there were none, it is one in a folder that was asked for:
    it may be another tool's, and a project that happens to have a gate elsewhere must
    not fail because of it.
    """
    if left_out:
        if names_config(config):
            return True
        path = beside_arguments(config)
        return path is not None and _has_gates(path)
    start = Path(config.invocation_params.dir)
    arguments = [start / argument.split("::")[0] for argument in config.args]
    folders = {argument for argument in arguments if argument.is_dir()}
    # A file that was asked for by name stands for itself alone, not for its folder.
    if len(folders) == len(arguments):
        folders.update(item.path.parent for item in items)
    return any(_has_gates(folder / _FILE) for folder in folders)


def _has_gates(path: Path) -> bool:
    from ..core.files import is_regular
    from ..core.toml_text import parsed_toml

    # A FIFO of that name would be waited for without end.
    if not is_regular(path):
        return False
    try:
        gates = parsed_toml(path.read_text(encoding="utf-8")).get("gate")
    except (OSError, ValueError):
        return False
    return isinstance(gates, list) and bool(gates)
