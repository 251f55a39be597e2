"""Which data set and model a command means: by name, with the tables of the `robust.toml`
that counts.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import argparse

    from ...core.config_file import ConfigFile, DatasetTable
    from ...core.model_table import ModelTable
    from ...datasets import RetrievalDataset
    from ...models import DualEncoder

_FILE = "robust.toml"
_ROOTS = (".git", "pyproject.toml", "pytest.ini", "tox.ini", "setup.cfg")
"""What the topmost folder of a project holds."""


def configured_dataset(text: str, config: Path | None) -> RetrievalDataset:
    """The data set of that name, with its table of `robust.toml`.

    Without `config` that is the file which a suite here would find: in this folder or
    above, up to the project's topmost folder; else the one in a folder below.

    Raises `UnknownNameError`, which says where the name may be known, and `ConfigError`
    if the file, or the data set's own table, is wrong.
    """
    from ...core.catalogue import Catalogues
    from ...core.errors import UnknownNameError
    from ...core.names import parse_call
    from ..selected_datasets import named_dataset

    file = _config_file(text, config)
    tables: Sequence[DatasetTable] = () if file is None else file.datasets
    catalogue = Catalogues().datasets
    try:
        selected = named_dataset(text, tables, catalogue)
    except UnknownNameError as error:
        # Of a known data set a parameter is wrong: no file or conftest changes that.
        name, _ = parse_call(text)
        if name in {*catalogue.names(), *(table.name for table in tables)}:
            raise
        raise UnknownNameError(f"{error} {_advice('data set', file)}") from None
    return selected.load()


def configured_model(text: str, dataset: str, config: Path | None) -> DualEncoder:
    """The model of that name or locator, with its table of `robust.toml`.

    That is the file which counts for `dataset`. Raises as `configured_dataset`, and what
    the loading of a model raises.
    """
    from ...core.catalogue import Catalogues
    from ...core.device import resolve_device
    from ...core.errors import UnknownNameError
    from ..selected_models import named_model

    file = _config_file(dataset, config)
    tables: Sequence[ModelTable] = () if file is None else file.models
    try:
        selected = named_model(text, tables, Catalogues())
    except UnknownNameError as error:
        raise UnknownNameError(f"{error} {_advice('model', file)}") from None
    return selected.load(resolve_device("auto"), "fp32")


def suite_of(
    parsed: argparse.Namespace, model: str, dataset: str | None = None
) -> list[str]:
    """The suite of a command with `--tests` and `--config`, as an argument of pytest."""
    if parsed.tests is not None:
        return [parsed.tests]
    return suite_here(model, dataset) if parsed.config is None else []


def suite_here(model: str, dataset: str | None = None) -> list[str]:
    """The folder of the suite that counts, as an argument of pytest; none for this folder.

    A suite in a folder below counts if no `robust.toml` is here or above, and if it is
    the only one, or the only one with a table of the model or the data set.
    """
    if _nearest(Path.cwd()) is not None:
        return []
    files = sorted(Path().glob(f"*/{_FILE}"))
    if len(files) > 1:
        # What is written wrongly is for the command to say.
        names = {
            text.partition("(")[0].strip()
            for text in (model, dataset)
            if text is not None
        }
        files = [file for file in files if names & _names_in(file)]
    return [str(file.parent) for file in files] if len(files) == 1 else []


def _names_in(file: Path) -> set[str]:
    """The models and data sets that a file has tables of; none of one that is wrong."""
    from ...core.config_file import read_config_file
    from ...core.errors import ConfigError

    try:
        read = read_config_file(file)
    except ConfigError:
        # It may be another tool's file. If it is the suite's, its names are unknown.
        return set()
    models = {table.name for table in read.models}
    return models | {table.name for table in read.datasets}


def _config_file(text: str, config: Path | None) -> ConfigFile | None:
    from ...core.config_file import read_config_file
    from ...core.errors import ConfigError
    from ...core.names import parse_call

    # A file that was named must exist.
    if config is not None:
        return read_config_file(config)
    above = _nearest(Path.cwd())
    if above is not None:
        return read_config_file(above)
    name, _ = parse_call(text)
    below = [read_config_file(path) for path in sorted(Path().glob(f"*/{_FILE}"))]
    with_table = [
        file for file in below if any(table.name == name for table in file.datasets)
    ]
    if len(with_table) > 1:
        files = " and ".join(file.path.as_posix() for file in with_table)
        raise ConfigError(
            f"Expected one {_FILE} with [datasets.{name}], got {files}. Name one with"
            " --config FILE."
        )
    if with_table:
        return with_table[0]
    return below[0] if len(below) == 1 else None


def _nearest(start: Path) -> Path | None:
    """The `robust.toml` in a folder or above it, as far as its project reaches."""
    for folder in (start, *start.parents):
        if (folder / _FILE).is_file():
            return folder / _FILE
        if any((folder / mark).exists() for mark in _ROOTS):
            break
    return None


def _advice(kind: str, file: ConfigFile | None) -> str:
    """Where a data set or a model may be known that is unknown here."""
    conftest = f"A {kind} that a conftest registers is known with --tests PATH."
    if file is not None:
        return conftest
    return (
        f"No {_FILE} is in this folder, above it or in a folder of it: for one of its"
        f" [{kind.replace(' ', '')}s.NAME] tables give --config FILE. {conftest}"
    )
