"""From what was typed to what is meant: models, data sets, occluders and metrics by
name, with nothing loaded.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from ..core.catalogue import Catalogue, Catalogues
from ..core.errors import ConfigError
from ..core.names import parse_call
from ..measure.from_text import SelectedDataset, build_occluder, metric_from_text
from ..occluders import Occluder, OccluderEntry
from ..retrieval.metrics.named import NamedMetric
from .selected_datasets import select_datasets
from .selected_models import SelectedModel, select_models
from .settings import Settings


@dataclass(frozen=True, repr=False)
class Selection:
    """What a run is made of, by name, in the order in which it was given."""

    models: Mapping[str, SelectedModel]
    datasets: Mapping[str, SelectedDataset]
    occluders: Mapping[str, Occluder]
    metrics: tuple[NamedMetric, ...] = ()
    """Those of the options; gates may name more."""


def select(settings: Settings, catalogues: Catalogues) -> Selection:
    """Resolve names, globs, `all` and locators.

    Raises `ConfigError` for an unknown name, with those that are close to it.
    """
    return Selection(
        select_models(settings, catalogues),
        select_datasets(settings, catalogues.datasets),
        _select_occluders(settings.occluders, catalogues.occluders),
        tuple(metric_from_text(text, catalogues.metrics) for text in settings.metrics),
    )


def _select_occluders(
    items: Iterable[str], catalogue: Catalogue[OccluderEntry]
) -> dict[str, Occluder]:
    occluders: dict[str, Occluder] = {}
    made_by: dict[str, str] = {}
    for entry, texts in _occluder_calls(items, catalogue):
        # Results are kept under the occluder's name, which is its own to choose.
        occluder = build_occluder(entry, texts)
        maker = made_by.setdefault(occluder.name, entry.name)
        if maker != entry.name:
            raise ConfigError(
                f"Expected occluders with different names, got name={occluder.name!r}"
                f" from {maker!r} and from {entry.name!r}. Give each one a name that"
                " begins with that of its entry."
            )
        occluders[occluder.name] = occluder
    return occluders


def _occluder_calls(
    items: Iterable[str], catalogue: Catalogue[OccluderEntry]
) -> Iterator[tuple[OccluderEntry, Mapping[str, str]]]:
    """The entries that items such as `patches(grid=14)` or `b*` stand for, with parameters."""
    for item in items:
        # `all` is what every model and data set can do at the cost of one encoding per
        # image; the others are given by name.
        if item == "all":
            for entry in catalogue.entries():
                if not entry.by_name_only:
                    yield entry, {}
            continue
        pattern, texts = parse_call(item)
        for name in catalogue.select(pattern):
            yield catalogue.get(name), texts
