"""From what was typed to what is meant: models, data sets and occluders by name, with
nothing loaded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..core.catalogue import Catalogue, Catalogues, is_glob, unknown_name
from ..core.config_file import DatasetTable, ModelTable
from ..core.errors import ConfigError, UnknownNameError
from ..core.names import parse_call
from ..datasets import DatasetEntry
from ..measure.from_text import (
    Parametrised,
    SelectedDataset,
    build_occluder,
    check_parameter,
    checked_value,
    typed_parameters,
)
from ..models import LoadRequest, ModelEntry
from ..models.locators import entry_for, is_locator
from ..models.own_checkpoint import own_entry
from ..occluders import Occluder, OccluderEntry
from .options import Settings

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, repr=False)
class SelectedModel:
    """A model of this run."""

    entry: ModelEntry
    named: bool
    """Asked for by its own name or locator, or `required`: then it must be tested."""
    may_download: bool
    cache_dir: Path | None = None

    def absent(self) -> str | None:
        """Why it cannot be tested here, decided from files alone; None where it can, or
        may be fetched.
        """
        reason = (
            None
            if self.entry.missing is None
            else self.entry.missing(
                LoadRequest(may_download=self.may_download, cache_dir=self.cache_dir)
            )
        )
        return None if self.may_download and self.entry.fetchable else reason


@dataclass(frozen=True, repr=False)
class Selection:
    """What a run is made of, by name, in the order asked for."""

    models: Mapping[str, SelectedModel]
    datasets: Mapping[str, SelectedDataset]
    occluders: Mapping[str, Occluder]


def select(settings: Settings, catalogues: Catalogues) -> Selection:
    """Resolve names, globs, `all` and locators; `ConfigError` says what is close to an
    unknown one.
    """
    tables = (
        {}
        if settings.config_file is None
        else {table.name: table for table in settings.config_file.models}
    )
    for table in tables.values():
        _add_table(table, catalogues)
    return Selection(
        _select_models(settings, catalogues, tables),
        _select_datasets(settings, catalogues),
        _select_occluders(settings, catalogues),
    )


def _add_table(table: ModelTable, catalogues: Catalogues) -> None:
    if table.name in catalogues.models.names():
        # Whichever of the two were taken, the other one's weights would stay untested
        # under its name.
        raise ConfigError(
            f"{table.places['']}: expected a name of its own for a checkpoint of yours,"
            f" got [models.{table.name}], which the catalogue has already. Choose"
            " another name."
        )
    try:
        entry = own_entry(
            table.name,
            table.loader,
            table.checkpoint,
            table.tokenizer,
            table.options,
            catalogues.models.entries(),
        )
    except UnknownNameError as error:
        # The key that is unknown, or whose value is, else the table.
        place = next(
            (
                table.places[key]
                for key in table.places
                if key and f"{key}=" in str(error)
            ),
            table.places[""],
        )
        raise ConfigError(f"{place}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{table.places['']}: {error}") from error
    catalogues.models.add(entry)


def _select_models(
    settings: Settings, catalogues: Catalogues, tables: Mapping[str, ModelTable]
) -> dict[str, SelectedModel]:
    chosen: dict[str, SelectedModel] = {}
    for item in settings.models or _default_models(catalogues, tables):
        named = (
            settings.models is not None
            and item != "all"
            and (is_locator(item) or not is_glob(item))
        )
        for entry in _model_entries(item, catalogues):
            required = entry.name in tables and tables[entry.name].required
            _add_model(
                chosen,
                entry,
                named or required,
                named or settings.download,
                settings.cache_dir,
            )
    for table in tables.values():
        if table.required and table.name not in chosen:
            _add_model(
                chosen,
                catalogues.models.get(table.name),
                True,
                False,
                settings.cache_dir,
            )
    return chosen


def selected_model(
    name: str, selection: Selection, settings: Settings, catalogues: Catalogues
) -> SelectedModel:
    """A model of the run, or another one of the catalogue, which fetches weights with
    --robust-download alone.
    """
    if name in selection.models:
        return selection.models[name]
    return SelectedModel(
        catalogues.models.get(name), False, settings.download, settings.cache_dir
    )


def must_be_tested(settings: Settings) -> frozenset[str]:
    """Models that were asked for by name or locator, or are `required`: whatever else a
    run has, it must have these.
    """
    tables = () if settings.config_file is None else settings.config_file.models
    required = {table.name for table in tables if table.required}
    typed = settings.models or ()
    located = {entry_for(item).name for item in typed if is_locator(item)}
    named = {
        item
        for item in typed
        if not is_locator(item) and item != "all" and not is_glob(item)
    }
    return frozenset(required | located | named)


def _default_models(
    catalogues: Catalogues, tables: Mapping[str, ModelTable]
) -> list[str]:
    return list(tables) or [
        entry.name for entry in catalogues.models.entries() if entry.embedded
    ]


def _model_entries(item: str, catalogues: Catalogues) -> list[ModelEntry]:
    if is_locator(item):
        return [entry_for(item)]
    return [catalogues.models.get(name) for name in catalogues.models.select(item)]


def _add_model(
    chosen: dict[str, SelectedModel],
    entry: ModelEntry,
    named: bool,
    may_download: bool,
    cache_dir: Path | None,
) -> None:
    held = chosen.get(entry.name)
    if held is not None and held.entry.summary != entry.summary:
        raise ConfigError(
            f"Expected models with different names, got name={entry.name!r} twice. "
            "Give one of the folders a name under [models.NAME] in robust.toml."
        )
    if held is None or named:
        chosen[entry.name] = SelectedModel(entry, named, may_download, cache_dir)


def _select_datasets(
    settings: Settings, catalogues: Catalogues
) -> dict[str, SelectedDataset]:
    catalogue = catalogues.datasets
    tables = () if settings.config_file is None else settings.config_file.datasets
    configured = {table.name: _configured(table, catalogue) for table in tables}
    chosen: list[SelectedDataset] = []
    for item in settings.datasets:
        name, texts = parse_call(item)
        for found in _dataset_names(name, catalogue, configured):
            base = configured.get(found) or SelectedDataset(
                catalogue.get(found), found, {}
            )
            chosen.append(base.with_parameters(typed_parameters(base.entry, texts)))
    return {selected.name: selected for selected in chosen}


def named_dataset(
    text: str, tables: Iterable[DatasetTable], catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """One data set as typed, `open-i(text=findings)`, with what a table of
    `robust.toml` says of it.
    """
    name, texts = parse_call(text)
    # A mistake in another table is no mistake of this one.
    configured = [
        _configured(table, catalogue) for table in tables if table.name == name
    ]
    base = (
        configured[0] if configured else SelectedDataset(catalogue.get(name), name, {})
    )
    return base.with_parameters(typed_parameters(base.entry, texts))


def _dataset_names(
    pattern: str,
    catalogue: Catalogue[DatasetEntry],
    configured: Mapping[str, SelectedDataset],
) -> list[str]:
    """Names that a LIST's item stands for; those of the user's files only where a table
    says where they lie.
    """
    if pattern in configured:
        return [pattern]
    if pattern != "all" and not is_glob(pattern):
        return catalogue.select(pattern)
    ready = [entry.name for entry in catalogue.entries() if not entry.of_files]
    names = sorted({*ready, *configured})
    found = [name for name in names if pattern == "all" or fnmatchcase(name, pattern)]
    if not found:
        raise unknown_name("data set", pattern, names)
    return found


def _configured(
    table: DatasetTable, catalogue: Catalogue[DatasetEntry]
) -> SelectedDataset:
    """A table's data set under the table's name; `ConfigError` with the line of what is wrong."""
    try:
        entry = catalogue.get(table.loader)
    except UnknownNameError as error:
        place = table.places.get("loader", table.places[""])
        raise ConfigError(
            f"{place}: {error} A table of another name needs a loader."
        ) from error
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
    options = {}
    for key, value in table.options.items():
        try:
            check_parameter(entry, key)
            options[key] = checked_value(entry, key, value)
        except ConfigError as error:
            raise ConfigError(f"{table.places[key]}: {error}") from error
        if key in entry.paths:
            options[key] = _beside(table.folder, str(options[key]))
    return SelectedDataset(entry, table.name, options)


def _beside(folder: Path, written: str) -> str:
    """A path as written in a file: relative to the file's folder, unless it is a
    repository of the hub.
    """
    path = folder / Path(written).expanduser()
    return (
        written
        if re.fullmatch(r"[\w.-]+/[\w.-]+", written) and not path.exists()
        else str(path)
    )


def _select_occluders(
    settings: Settings, catalogues: Catalogues
) -> dict[str, Occluder]:
    called = [
        item
        for item in settings.occluders
        for item in _each_of_all(item, catalogues.occluders)
    ]
    chosen: dict[str, Occluder] = {}
    made_by: dict[str, str] = {}
    for entry, texts in _called(called, catalogues.occluders):
        occluder = build_occluder(entry, texts)
        maker = made_by.setdefault(occluder.name, entry.name)
        if maker != entry.name:
            raise ConfigError(
                f"Expected occluders with different names, got name={occluder.name!r}"
                f" from {maker!r} and from {entry.name!r}. Give each one a name that"
                " begins with that of its entry."
            )
        chosen[occluder.name] = occluder
    return chosen


def _each_of_all(item: str, catalogue: Catalogue[OccluderEntry]) -> list[str]:
    """`all` means what every model and data set can do at the cost of one encoding an image."""
    return (
        [item]
        if item != "all"
        else [entry.name for entry in catalogue.entries() if not entry.by_name_only]
    )


def _called(
    items: Iterable[str], catalogue: Catalogue[E]
) -> Iterator[tuple[E, Mapping[str, str]]]:
    """The entries that items such as `patches(grid=14)` or `syn*(pairs=100)` stand for,
    with their parameters.
    """
    for item in items:
        name, texts = parse_call(item)
        yield from ((catalogue.get(found), texts) for found in catalogue.select(name))


E = TypeVar("E", bound=Parametrised)
