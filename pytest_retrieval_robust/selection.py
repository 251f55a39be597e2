"""From what was typed to what is meant: models, data sets and occluders by name, with nothing loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from .catalogue import Catalogue, Catalogues, is_glob, unknown_name
from .config_file import ModelTable
from .datasets import DatasetEntry
from .errors import ConfigError, OcclusionError
from .models import ModelEntry
from .models._locators import entry_for, folder_entry, is_locator
from .occluders import Occluder, OccluderEntry
from .options import Settings, parse_call


@dataclass(frozen=True)
class SelectedModel:
    """A model of this run."""

    entry: ModelEntry
    named: bool
    """Asked for by its own name or locator, or `required`: then it must be tested."""
    may_download: bool

    def absent(self) -> str | None:
        """Why it cannot be tested here, decided from files alone; None where it can, or may be fetched."""
        reason = None if self.entry.missing is None else self.entry.missing()
        return None if self.may_download and self.entry.fetchable else reason


@dataclass(frozen=True)
class Selection:
    """What a run is made of, by name, in the order asked for."""

    models: Mapping[str, SelectedModel]
    datasets: Mapping[str, DatasetEntry]
    occluders: Mapping[str, Occluder]


def select(settings: Settings, catalogues: Catalogues) -> Selection:
    """Resolve names, globs, `all` and locators; `ConfigError` says what is close to an unknown one."""
    tables = {} if settings.config_file is None else {table.name: table for table in settings.config_file.models}
    for table in tables.values():
        _add_table(table, catalogues)
    return Selection(
        _select_models(settings, catalogues, tables),
        {
            name: catalogues.datasets.get(name)
            for item in settings.datasets
            for name in catalogues.datasets.select(item)
        },
        _select_occluders(settings, catalogues),
    )


def _add_table(table: ModelTable, catalogues: Catalogues) -> None:
    if table.name not in catalogues.models.names():
        catalogues.models.add(folder_entry(table.name, table.checkpoint, f"local-dir:{table.checkpoint.name}"))


def _select_models(
    settings: Settings, catalogues: Catalogues, tables: Mapping[str, ModelTable]
) -> dict[str, SelectedModel]:
    chosen: dict[str, SelectedModel] = {}
    for item in settings.models or _default_models(catalogues, tables):
        named = settings.models is not None and item != "all" and (is_locator(item) or not is_glob(item))
        for entry in _model_entries(item, catalogues):
            required = entry.name in tables and tables[entry.name].required
            _add_model(chosen, entry, named or required, named or settings.download)
    for table in tables.values():
        if table.required and table.name not in chosen and settings.models is None:
            _add_model(chosen, catalogues.models.get(table.name), True, False)
    return chosen


def _default_models(catalogues: Catalogues, tables: Mapping[str, ModelTable]) -> list[str]:
    return list(tables) or [entry.name for entry in catalogues.models.entries() if entry.embedded]


def _model_entries(item: str, catalogues: Catalogues) -> list[ModelEntry]:
    if is_locator(item):
        return [entry_for(item)]
    return [catalogues.models.get(name) for name in catalogues.models.select(item)]


def _add_model(chosen: dict[str, SelectedModel], entry: ModelEntry, named: bool, may_download: bool) -> None:
    held = chosen.get(entry.name)
    if held is not None and held.entry.summary != entry.summary:
        raise ConfigError(
            f"Expected models with different names, got name={entry.name!r} twice. "
            "Give one of the folders a name under [models.NAME] in robust.toml."
        )
    if held is None or named:
        chosen[entry.name] = SelectedModel(entry, named, may_download)


def _select_occluders(settings: Settings, catalogues: Catalogues) -> dict[str, Occluder]:
    chosen = {}
    for item in settings.occluders:
        name, parameters = parse_call(item)
        for found in catalogues.occluders.select(name):
            occluder = build_occluder(catalogues.occluders.get(found), parameters)
            chosen[occluder.name] = occluder
    return chosen


def build_occluder(entry: OccluderEntry, parameters: Mapping[str, str]) -> Occluder:
    """The occluder with its parameters parsed from text; `ConfigError` for an unknown or unfit one."""
    typed: dict[str, object] = {}
    for key, text in parameters.items():
        if key not in entry.parameters:
            raise unknown_name(f"parameter of {entry.name}", key, entry.parameters)
        kind = entry.parameters[key]
        try:
            typed[key] = kind(text)
        except ValueError as error:
            raise ConfigError(
                f"Expected {key} of {entry.name} to be of type {kind.__name__}, got {key}={text!r}. Mend the value."
            ) from error
    try:
        return entry.build(**typed)
    except OcclusionError as error:
        raise ConfigError(str(error)) from error


def occluder_from_text(text: str, catalogue: Catalogue[OccluderEntry]) -> Occluder:
    """`patches(grid=14,fill=mean)` as an occluder."""
    name, parameters = parse_call(text)
    return build_occluder(catalogue.get(name), parameters)
