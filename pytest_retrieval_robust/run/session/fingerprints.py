"""Models beside their fingerprints: which file, and how far the model has moved from it."""

from __future__ import annotations

from copy import copy
from pathlib import Path

from ...core.drift import DriftOutcome
from ...core.errors import RobustError, TimedOutError
from ...core.foreign import without_frames
from ...core.names import slug
from ...core.time_limit import TimeLimit, within
from .loading import Loader
from .state import RunState

FOLDER = "fingerprints"
"""Where fingerprints lie, beside `robust.toml`, unless a gate names another place."""


class Fingerprints:
    """Compares each model with its fingerprint, once."""

    def __init__(self, state: RunState, loader: Loader) -> None:
        self._state = state
        self._loader = loader
        self._drift: dict[str, DriftOutcome | RobustError] = {}

    def file_of(self, model: str) -> Path:
        """Where the fingerprint of a model is, or belongs."""
        policy_path = self._state.policy_path
        folder = Path() if policy_path is None else policy_path.parent
        limit = self._state.policy.drift_limit(model)
        if limit is not None and limit.file is not None:
            return folder / limit.file
        return folder / FOLDER / f"{slug(model)}.json"

    def drift(self, model: str) -> DriftOutcome:
        """How far a model has moved. Raises the `RobustError` that the comparison ended with."""
        if model not in self._drift:
            try:
                self._drift[model] = self._compared(model)
            except RobustError as error:
                self._drift[model] = without_frames(error)
        drift = self._drift[model]
        if isinstance(drift, RobustError):
            raise copy(drift)
        return drift

    def _compared(self, model: str) -> DriftOutcome:
        from ...measure.drift.comparing import drift_from
        from ...measure.drift.saved import read_fingerprint

        file = self.file_of(model)
        if not file.exists():
            return DriftOutcome(model, file.name, largest=None)
        # Read before the model is loaded: a damaged file is the cheaper error.
        saved = read_fingerprint(file, model)
        encoder = self._loader.model(model)
        return within(
            TimeLimit(self._state.timeout_of(model)),
            lambda: drift_from(saved, encoder, file.name),
            lambda limit: _too_late(limit, model),
        )


def _too_late(limit: TimeLimit, model: str) -> TimedOutError:
    return TimedOutError(
        f"Expected {model} to encode the fixed pictures and sentences of its fingerprint"
        f" within timeout={limit.seconds:g} seconds, and it did not. Raise the timeout."
    )
