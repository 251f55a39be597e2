"""Which cells the collected tests ask for, so that one sweep measures all of them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable

import pytest

from ...core.cases import FAMILIES, Case, Cell
from ..our_tests import CaseParameters, parameters_of
from ..settings import Settings

_CURVE_FIXTURES = ("robustness_curve", "robustness_curves")
_SWEEPING_FIXTURES = ("outcome", "clean_outcome", *_CURVE_FIXTURES)
"""The fixtures whose values a sweep measures; a test without one needs none."""


class PlannedCells:
    """The cells of each model and data set."""

    def __init__(self) -> None:
        self._cells: defaultdict[tuple[str, str], set[Cell]] = defaultdict(set)
        self.with_edits: set[tuple[str, str]] = set()
        """The models and data sets whose sweeps compare with edited reports."""

    def add(self, model: str, dataset: str, cell: Cell) -> None:
        self._cells[model, dataset].add(cell)

    def add_tests(self, items: Iterable[pytest.Item], settings: Settings) -> None:
        """Note the cells that the collected tests will ask for."""
        for item in items:
            parameters = parameters_of(item)
            fixtures: Collection[str] = getattr(item, "fixturenames", ())
            if parameters is not None and _uses_any(fixtures, _SWEEPING_FIXTURES):
                self._add_test(parameters, fixtures, settings)

    def add_edits(
        self,
        items: Iterable[pytest.Item],
        cases_of: Callable[[str, str], Iterable[Case]],
    ) -> None:
        """Note the cells in which collected tests compare images with edited reports."""
        for item in items:
            parameters = parameters_of(item) or CaseParameters()
            fixtures: Collection[str] = getattr(item, "fixturenames", ())
            model = parameters.model
            dataset = parameters.dataset
            if "counterfactuals" in fixtures and model is not None and dataset:
                cells = [case.cell for case in cases_of(model, dataset)]
                if cells:
                    self.with_edits.add((model, dataset))
                for cell in cells:
                    self.add(model, dataset, cell)

    def _add_test(
        self, parameters: CaseParameters, fixtures: Collection[str], settings: Settings
    ) -> None:
        model = parameters.model
        dataset = parameters.dataset
        occluder = parameters.occluder
        if model is None or dataset is None or occluder is None:
            return
        # A curve needs every level, whichever level the test itself is given.
        levels = settings.levels_of(parameters.family)
        if parameters.level is not None and not _uses_any(fixtures, _CURVE_FIXTURES):
            levels = (parameters.level,)
        seeds = settings.seeds if parameters.seed is None else (parameters.seed,)
        for level in levels:
            for seed in seeds:
                cell = Cell(occluder, level, seed, parameters.family)
                self.add(model, dataset, cell)

    def models_on(self, dataset: str) -> list[str]:
        """The models that are planned on a data set."""
        return [
            model
            for (model, name), cells in self._cells.items()
            if name == dataset and cells
        ]

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The models and data sets for which something is planned, in the order of tests."""
        return [pair for pair, cells in self._cells.items() if cells]

    @property
    def datasets(self) -> set[str]:
        """The data sets on which something is planned."""
        return {name for (_, name), cells in self._cells.items() if cells}

    def hidden_cells(self, model: str, dataset: str) -> list[Cell]:
        """The planned cells above level 0, in an order that never changes."""
        # Level 0 is the same for all, and a sweep measures it anyway.
        cells = [cell for cell in self._cells[model, dataset] if cell.level > 0]
        return sorted(
            cells,
            key=lambda cell: (
                FAMILIES.index(cell.family),
                cell.occluder,
                cell.level,
                cell.seed,
            ),
        )


def _uses_any(fixtures: Collection[str], names: Iterable[str]) -> bool:
    return any(name in fixtures for name in names)
