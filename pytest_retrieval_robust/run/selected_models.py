"""The models of a run: names, globs, `all`, locators and the tables of `robust.toml`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..core.catalogue import Catalogues, is_glob, unknown_name
from ..core.errors import ConfigError, NotOnThisMachineError, UnknownNameError
from ..core.model_table import ModelTable
from ..models import DualEncoder, LoadRequest, ModelEntry, Precision, load_entry
from ..models.command import DEFAULT_TIMEOUT, command_entry
from ..models.locators import entry_for, is_locator
from ..models.own_checkpoint import own_entry
from .settings import Settings

if TYPE_CHECKING:
    from .selection import Selection


@dataclass(frozen=True, repr=False)
class SelectedModel:
    """A model of this run."""

    entry: ModelEntry
    named: bool
    """Given by its own name or locator, or `required`: then it must be tested."""
    may_download: bool
    cache_dir: Path | None = None

    def absent(self) -> str | None:
        """Why it cannot be tested here, decided from files alone; None where it can, or
        may be downloaded.
        """
        if self.entry.missing is None:
            return None
        request = LoadRequest(may_download=self.may_download, cache_dir=self.cache_dir)
        # Asked even if the model may be downloaded: the answer may raise.
        reason = self.entry.missing(request)
        return None if self.may_download and self.entry.fetchable else reason

    def load(self, device: str, precision: Precision) -> DualEncoder:
        """Load it on a resolved `device`; `NotOnThisMachineError` where it is absent."""
        reason = self.absent()
        if reason is not None:
            raise NotOnThisMachineError.because(reason)
        request = LoadRequest(
            device, precision, self.may_download, cache_dir=self.cache_dir
        )
        return load_entry(self.entry, request)


def select_models(
    settings: Settings, catalogues: Catalogues
) -> dict[str, SelectedModel]:
    """The models of a run, in the order in which they were given."""
    tables = _model_tables(settings)
    for table in tables.values():
        _add_table(table, catalogues)
    # A model may be given by name and fit a glob too: the name then counts.
    models: dict[str, SelectedModel] = {}
    for item in settings.models or _default_models(catalogues, tables):
        is_named = settings.models is not None and _is_single(item)
        for entry in _entries_of(item, catalogues):
            is_required = entry.name in tables and tables[entry.name].required
            model = SelectedModel(
                entry,
                named=is_named or is_required,
                may_download=is_named or settings.download,
                cache_dir=settings.cache_dir,
            )
            _add_model(models, model, replace=is_named or is_required)
    for table in tables.values():
        if table.required and table.name not in models:
            models[table.name] = SelectedModel(
                catalogues.models.get(table.name),
                named=True,
                may_download=False,
                cache_dir=settings.cache_dir,
            )
    return models


def named_model(
    text: str,
    tables: Iterable[ModelTable],
    catalogues: Catalogues,
    *,
    may_download: bool = True,
    cache_dir: Path | None = None,
) -> SelectedModel:
    """One model as typed, a name or locator, with its table of `robust.toml`.

    Raises `UnknownNameError`, and `ConfigError` if the model's own table is wrong.
    """
    if is_locator(text):
        return SelectedModel(entry_for(text), True, may_download, cache_dir)
    tables = list(tables)
    known = {*catalogues.models.names(), *(table.name for table in tables)}
    if text not in known:
        raise unknown_name("model", text, known)
    # A mistake in another table is no mistake of this one.
    for table in tables:
        if table.name == text:
            _add_table(table, catalogues)
    entry = catalogues.models.get(text)
    return SelectedModel(entry, True, may_download, cache_dir)


def _model_tables(settings: Settings) -> dict[str, ModelTable]:
    if settings.config_file is None:
        return {}
    return {table.name: table for table in settings.config_file.models}


def _is_single(item: str) -> bool:
    """Whether an item names one model, rather than all that fit."""
    return is_locator(item) or (item != "all" and not is_glob(item))


def _default_models(
    catalogues: Catalogues, tables: Mapping[str, ModelTable]
) -> list[str]:
    if tables:
        return list(tables)
    return [entry.name for entry in catalogues.models.entries() if entry.embedded]


def _entries_of(item: str, catalogues: Catalogues) -> list[ModelEntry]:
    if is_locator(item):
        return [entry_for(item)]
    return [catalogues.models.get(name) for name in catalogues.models.select(item)]


def _add_model(
    models: dict[str, SelectedModel], model: SelectedModel, *, replace: bool
) -> None:
    """Add a model, or let it `replace` the one that a glob has added."""
    name = model.entry.name
    earlier = models.get(name)
    # Two folders may have the same last part, from which their names are made.
    if earlier is not None and earlier.entry.summary != model.entry.summary:
        raise ConfigError(
            f"Expected models with different names, got name={name!r} twice. "
            "Give one of the folders a name under [models.NAME] in robust.toml."
        )
    if earlier is None or replace:
        models[name] = model


def _add_table(table: ModelTable, catalogues: Catalogues) -> None:
    """Add a `[models.NAME]` table of `robust.toml` to the catalogue."""
    if table.name in catalogues.models.names():
        # Whichever of the two were taken, the other one's weights would stay untested
        # under its name.
        raise ConfigError(
            f"{table.places['']}: expected a name of its own for a checkpoint of yours,"
            f" got [models.{table.name}], which the catalogue has already. Choose"
            " another name."
        )
    if table.command:
        seconds = table.answer_timeout or DEFAULT_TIMEOUT
        catalogues.models.add(
            command_entry(table.name, table.command, table.folder, seconds)
        )
        return
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
        raise ConfigError(f"{_line_of(table, error)}: {error}") from error
    except ConfigError as error:
        raise ConfigError(f"{table.places['']}: {error}") from error
    catalogues.models.add(entry)


def _line_of(table: ModelTable, error: UnknownNameError) -> str:
    """The line of the key that an error is about, or else of the table."""
    for key, line in table.places.items():
        if key and f"{key}=" in str(error):
            return line
    return table.places[""]


def selected_model(
    name: str, selection: Selection, settings: Settings, catalogues: Catalogues
) -> SelectedModel:
    """A model of the run, or else one of the catalogue.

    The latter downloads weights with `--robust-download` alone.
    """
    if name in selection.models:
        return selection.models[name]
    return SelectedModel(
        catalogues.models.get(name),
        named=False,
        may_download=settings.download,
        cache_dir=settings.cache_dir,
    )


def must_be_tested(settings: Settings) -> frozenset[str]:
    """Models that every run must have: given by name or locator, or `required`."""
    required = {
        table.name for table in _model_tables(settings).values() if table.required
    }
    named = set()
    for item in settings.models or ():
        if is_locator(item):
            named.add(entry_for(item).name)
        elif _is_single(item):
            named.add(item)
    return frozenset(required | named)
