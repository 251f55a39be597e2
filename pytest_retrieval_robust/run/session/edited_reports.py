"""Whether a run compares images with edited reports, where, and with which edits."""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

from ...core.counterfactual_outcomes import clean_case
from ...core.errors import RobustError
from ...core.foreign import without_frames
from ...gate.plan import cells_of

if TYPE_CHECKING:
    from ...core.cases import Case
    from ...core.counterfactuals import EditedReports
    from .loading import Loader
    from .state import RunState


def is_asked(state: RunState, model: str, dataset: str) -> bool:
    """Whether the option, or a gate, asks for edited reports of a model and data set."""
    return state.settings.counterfactuals or is_gated(state, model, dataset)


def is_gated(state: RunState, model: str, dataset: str) -> bool:
    """Whether a gate is about edited reports of a model and data set."""
    return any(map(state.policy.edit_limits, _cases(state, model, dataset)))


def cases_with_edits(state: RunState, model: str, dataset: str) -> list[Case]:
    """The cases in which images are compared with edits, the clean one first: with the
    option all, else those of gates.
    """
    clean, *others = _cases(state, model, dataset)
    if not state.settings.counterfactuals:
        others = [case for case in others if state.policy.edit_limits(case)]
    return [clean, *others]


def asked_cases(state: RunState, model: str, dataset: str) -> list[Case]:
    """The same, and none where neither the option nor a gate asks for any."""
    if not is_asked(state, model, dataset):
        return []
    return cases_with_edits(state, model, dataset)


def _cases(state: RunState, model: str, dataset: str) -> list[Case]:
    """The clean case, and every cell in which something is done to images."""
    cells = cells_of(state.whole_plan, model, dataset)
    hidden = [case for case in cells if case.level > 0 and case.family != "text-noise"]
    return list(dict.fromkeys((clean_case(model, dataset), *hidden)))


class RunEdits:
    """The edits of each data set, made once."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader
        self._edits: dict[str, EditedReports | RobustError] = {}

    def exist(self, dataset: str) -> bool:
        """Whether a data set says where edits of its reports are from."""
        from ...measure.counterfactual.sources import has_edits

        return has_edits(self._loader.dataset(dataset))

    def of(self, dataset: str) -> EditedReports:
        """The edits of a data set; raises the `RobustError` that making them ended with."""
        from ...measure.counterfactual.sources import edits_of

        if dataset not in self._edits:
            opened = self._loader.dataset(dataset)
            try:
                self._edits[dataset] = edits_of(opened)
            except RobustError as error:
                self._edits[dataset] = without_frames(error)
        edits = self._edits[dataset]
        if isinstance(edits, RobustError):
            raise copy(edits)
        return edits

    def of_sweep(self, dataset: str) -> EditedReports | None:
        """The same for a sweep, which measures recall without edits too: None if there
        are none.
        """
        try:
            return self.of(dataset)
        except RobustError:
            return None
