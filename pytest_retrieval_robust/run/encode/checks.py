"""What is refused before anything is encoded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...core.errors import ConfigError, RobustError
from ...core.words import shown_size
from ...measure.embeddings.size import bytes_needed
from .notes import check_writable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ...measure.embeddings.store import EmbeddingStore
    from ..collected_suite import CollectedSuite, PlannedSweep
    from ..session import RobustSession

MOST_WIDTH = 2_048
"""Numbers that hardly an embedding exceeds: where such rows fit, none is asked for."""


def checked_store(suite: CollectedSuite) -> EmbeddingStore:
    """The store to encode into.

    Raises `ConfigError` without one, and for one that cannot be written, or that is to be
    kept smaller than what the suite needs.
    """
    session = suite.session
    store = session.embeddings
    if store is None:
        raise ConfigError(
            "Expected an embedding store to encode into, got --robust-no-cache. Leave it"
            " out."
        )
    engine = session.settings.engine
    if engine != "local":
        raise ConfigError(
            "Expected a suite whose embeddings this process encodes, got"
            f" --robust-engine={engine}. Leave it out here, and give it to pytest."
        )
    if not suite.sweeps:
        raise ConfigError(
            "Expected a suite whose tests need embeddings, got none of them. Name the"
            " suite and options as for pytest."
        )
    check_writable(store)
    _check_room(session, suite.sweeps, store.limit)
    return store


def is_absent(session: RobustSession, model: str) -> str | None:
    """Why a model is not on this machine, in words that stand inside a sentence."""
    return session.selection.models[model].absent()


def _check_room(
    session: RobustSession, sweeps: Sequence[PlannedSweep], limit: int
) -> None:
    here = [sweep for sweep in sweeps if is_absent(session, sweep.model) is None]
    most = sum(_bytes_of(session, sweep, MOST_WIDTH) for sweep in here)
    # Models need not be loaded where even wide rows fit.
    if most <= limit:
        return
    needed = sum(_bytes_of(session, sweep, _width(session, sweep)) for sweep in here)
    if needed > limit:
        raise ConfigError(
            f"Expected --robust-cache-limit to hold the embeddings of this suite, about"
            f" {shown_size(needed)}, got {shown_size(limit)}. Raise it, here and for the"
            " suite, which else removes what it needs."
        )


def _bytes_of(session: RobustSession, sweep: PlannedSweep, width: int) -> int:
    """0 for what cannot be opened: that is reported where it is to be encoded."""
    from ...measure.pairs import pairs_of

    try:
        dataset = session.loader.dataset(sweep.dataset)
        pairs = pairs_of(dataset, session.settings.limit)
    except RobustError:
        return 0
    # Files count little, so that a usual size of batches will do.
    batch_size = session.settings.batch_size or 32
    cells = 1 + len(sweep.cells)
    return bytes_needed(len(pairs.images), cells, width, batch_size, len(pairs.reports))


def _width(session: RobustSession, sweep: PlannedSweep) -> int:
    """Components of an embedding; 0 where the model does not work."""
    from ...core.calling import encode_reports

    try:
        model = session.loader.model(sweep.model)
        return int(encode_reports(model, ["normal chest"]).rows.shape[1])
    except RobustError:
        return 0
