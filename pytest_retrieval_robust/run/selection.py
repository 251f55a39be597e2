"""From what was typed to what is meant: models, data sets, occluders, corruptions, text noise
and metrics by name, with nothing loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from ..core.cases import Family, PlannedPerturbation
from ..core.catalogue import Catalogue, Catalogues
from ..core.errors import ConfigError, UnknownNameError
from ..core.names import parse_call
from ..measure.from_text import (
    Named,
    SelectedDataset,
    build_occluder,
    metric_from_text,
)
from ..measure.perturbation_text import build_corruption, build_text_noise
from ..retrieval.metrics.named import NamedMetric
from .selected_datasets import select_datasets
from .selected_models import SelectedModel, select_models
from .settings import Settings

if TYPE_CHECKING:
    from ..corruptions import Corruption
    from ..measure.sweep.changes import Perturbation
    from ..occluders import Occluder
    from ..texts.noise import TextNoise

N = TypeVar("N", bound=Named)
OPTION_OF: Mapping[Family, str] = {
    "occlusion": "--robust-occluders",
    "corruption": "--robust-corruptions",
    "text-noise": "--robust-text-noise",
}
"""The option that names what belongs to a family."""


@dataclass(frozen=True, repr=False)
class Selection:
    """What a run is made of, by name, in the order in which it was given."""

    models: Mapping[str, SelectedModel]
    datasets: Mapping[str, SelectedDataset]
    occluders: Mapping[str, Occluder]
    metrics: tuple[NamedMetric, ...] = ()
    """Those of the options; gates may name more."""
    corruptions: Mapping[str, Corruption] = field(default_factory=dict)
    text_noise: Mapping[str, TextNoise] = field(default_factory=dict)

    def of_family(self, family: Family) -> Mapping[str, Perturbation]:
        """What was chosen of a family, by name."""
        by_family: Mapping[Family, Mapping[str, Perturbation]] = {
            "occlusion": self.occluders,
            "corruption": self.corruptions,
            "text-noise": self.text_noise,
        }
        return by_family[family]

    def perturbation(self, family: Family, name: str) -> Perturbation:
        """An occluder, corruption or text noise of this run."""
        return self.of_family(family)[name]

    def planned(self, name: str) -> PlannedPerturbation | None:
        """The occluder of that name, else the corruption, else the text noise; None where
        this run has none of the three.
        """
        for family in OPTION_OF:
            if name in self.of_family(family):
                return PlannedPerturbation(family, name)
        return None


def select(settings: Settings, catalogues: Catalogues) -> Selection:
    """Resolve names, globs, `all` and locators.

    Raises `ConfigError` for an unknown name, with those that are close to it.
    """
    return Selection(
        select_models(settings, catalogues),
        select_datasets(settings, catalogues.datasets),
        _select(_Choice("occlusion", "occluder", build_occluder), settings, catalogues),
        tuple(metric_from_text(text, catalogues.metrics) for text in settings.metrics),
        _select(
            _Choice("corruption", "corruption", build_corruption), settings, catalogues
        ),
        _select(
            _Choice("text-noise", "text noise", build_text_noise), settings, catalogues
        ),
    )


@dataclass(frozen=True)
class _Choice(Generic[N]):
    """How what was typed of a family is built."""

    family: Family
    word: str
    build: Callable[[Any, Mapping[str, str]], N]


def _select(
    choice: _Choice[N], settings: Settings, catalogues: Catalogues
) -> dict[str, N]:
    """What was typed of a family, by name, in the order in which it was typed."""
    typed: Mapping[Family, tuple[str, ...]] = {
        "occlusion": settings.occluders,
        "corruption": settings.corruptions,
        "text-noise": settings.text_noise,
    }
    chosen: dict[str, N] = {}
    made_by: dict[str, str] = {}
    for entry, texts in _calls(typed[choice.family], choice.family, catalogues):
        # Results are kept under its own name, which is its own to choose.
        built = choice.build(entry, texts)
        maker = made_by.setdefault(built.name, entry.name)
        if maker != entry.name:
            raise ConfigError(
                f"Expected {choice.word}s with different names, got name={built.name!r}"
                f" from {maker!r} and from {entry.name!r}. Give each one a name that"
                " begins with that of its entry."
            )
        chosen[built.name] = built
    return chosen


def _calls(
    items: Iterable[str], family: Family, catalogues: Catalogues
) -> Iterator[tuple[Any, Mapping[str, str]]]:
    """The entries that items such as `patches(grid=14)` or `b*` stand for, with parameters."""
    catalogue = _catalogues_of(catalogues)[family]
    for item in items:
        # `all` is what every model and data set can do at the cost of one encoding per
        # image; the others are given by name.
        if item == "all":
            for entry in catalogue.entries():
                if not getattr(entry, "by_name_only", False):
                    yield entry, {}
            continue
        pattern, texts = parse_call(item)
        try:
            names = catalogue.select(pattern)
        except UnknownNameError as error:
            _hint_at_option(pattern, family, catalogues, error)
            raise
        for name in names:
            yield catalogue.get(name), texts


def _hint_at_option(
    pattern: str, family: Family, catalogues: Catalogues, error: UnknownNameError
) -> None:
    """Raise a better error where another option takes that name."""
    for other, catalogue in _catalogues_of(catalogues).items():
        known = [name for name in catalogue.names() if fnmatchcase(name, pattern)]
        if other != family and known:
            expected, _, _ = str(error).partition(". ")
            raise UnknownNameError(
                f"{expected}, which names {_with_article(catalogue.kind)}. Name it with"
                f" {OPTION_OF[other]}."
            ) from None


def _with_article(kind: str) -> str:
    return f"an {kind}" if kind == "occluder" else f"a {kind}"


def _catalogues_of(catalogues: Catalogues) -> Mapping[Family, Catalogue[Any]]:
    return {
        "occlusion": catalogues.occluders,
        "corruption": catalogues.corruptions,
        "text-noise": catalogues.text_noise,
    }
