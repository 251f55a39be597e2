"""The data sets of a run: names, globs, parameters and the tables of `robust.toml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from ..core.catalogue import Catalogue, is_glob, unknown_name
from ..core.config_file import DatasetTable
from ..core.counterfactuals import RULES
from ..core.errors import ConfigError, UnknownNameError
from ..core.names import parse_call
from ..datasets import DatasetEntry
from ..measure.from_text import (
    SelectedDataset,
    check_parameter,
    checked_value,
    typed_parameters,
)
from .settings import Settings


def select_datasets(
    settings: Settings, catalogue: Catalogue[DatasetEntry]
) -> dict[str, SelectedDataset]:
    """The data sets of a run, in the order in which they were given."""
    tables = () if settings.config_file is None else settings.config_file.datasets
    configured = {table.name: _configured(table, catalogue) for table in tables}
    datasets: dict[str, SelectedDataset] = {}
    for item in settings.datasets:
        pattern, texts = parse_call(item)
        for name in _names_of(pattern, catalogue, configured):
            # Typed parameters are added to those of the table.
            base = configured.get(name)
            if base is None:
                base = SelectedDataset(catalogue.get(name), name, {})
            selected = base.with_parameters(typed_parameters(base.entry, texts))
            datasets[selected.name] = selected
    return datasets


def named_dataset(
    text: str, tables: Iterable[DatasetTable], catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """One data set as typed, `open-i(text=findings)`, with its table of `robust.toml`."""
    name, texts = parse_call(text)
    tables = list(tables)
    base: SelectedDataset | None = None
    # A mistake in another table is no mistake of this one.
    for table in tables:
        if table.name == name:
            base = _configured(table, catalogue)
            break
    if base is None:
        known = {*catalogue.names(), *(table.name for table in tables)}
        if name not in known:
            raise unknown_name("data set", name, known)
        base = SelectedDataset(catalogue.get(name), name, {})
    return base.with_parameters(typed_parameters(base.entry, texts))


def _names_of(
    pattern: str,
    catalogue: Catalogue[DatasetEntry],
    configured: Mapping[str, SelectedDataset],
) -> list[str]:
    """The names that an item stands for.

    A glob covers a data set of the user's files only if a table says where they lie.
    """
    if pattern in configured:
        return [pattern]
    if pattern != "all" and not is_glob(pattern):
        known = {*catalogue.names(), *configured}
        if pattern not in known:
            raise unknown_name("data set", pattern, known)
        return [pattern]
    without_files = [entry.name for entry in catalogue.entries() if not entry.of_files]
    names = sorted({*without_files, *configured})
    glob = "*" if pattern == "all" else pattern
    matching = [name for name in names if fnmatchcase(name, glob)]
    if not matching:
        raise unknown_name("data set", pattern, names)
    return matching


def _configured(
    table: DatasetTable, catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """A table's data set under the table's name; `ConfigError` with the line of what is wrong."""
    try:
        entry = catalogue.get(table.loader)
    except UnknownNameError as error:
        line = table.places.get("loader", table.places[""])
        has_loader = "loader" in table.places
        advice = "" if has_loader else " A table of another name needs a loader."
        raise ConfigError(f"{line}: {error}{advice}") from error
    _check_table(table, entry, catalogue)
    # Each option by itself, so that an error has the line of its own key.
    options = {
        key: _checked_option(table, entry, key, value)
        for key, value in table.options.items()
    }
    return SelectedDataset(entry, table.name, options)


def _check_table(
    table: DatasetTable, entry: DatasetEntry, catalogue: Catalogue[DatasetEntry]
) -> None:
    if not entry.of_files:
        raise ConfigError(
            f"{table.places['']}: expected a data set of files, got"
            f" loader={table.loader!r}. It takes its parameters in parentheses:"
            f" --robust-datasets '{table.loader}(...)'."
        )
    if table.name != table.loader and table.name in catalogue.names():
        raise ConfigError(
            f"{table.places['']}: expected a name of its own, got"
            f" [datasets.{table.name}] with another loader, {table.loader!r}. Choose"
            " another name."
        )


def _checked_option(
    table: DatasetTable, entry: DatasetEntry, key: str, value: object
) -> Any:
    try:
        check_parameter(entry, key)
        checked = checked_value(entry, key, value)
    except ConfigError as error:
        raise ConfigError(f"{table.places[key]}: {error}") from error
    # `counterfactuals` takes a word beside paths.
    is_path = key in entry.paths and checked != RULES
    return _beside(table.folder, str(checked)) if is_path else checked


def _beside(folder: Path, written: str) -> str:
    """A path as written in a file: relative to the file's folder, unless it is a
    repository of the hub.
    """
    path = folder / Path(written).expanduser()
    is_repository = re.fullmatch(r"[\w.-]+/[\w.-]+", written) and not path.exists()
    return written if is_repository else str(path)
