"""What a collected suite is to encode, as numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...core.errors import RobustError

if TYPE_CHECKING:
    from ...measure.planning.rates import Rate
    from ...measure.planning.work import SweepWork
    from ..collected_suite import CollectedSuite, PlannedSweep
    from ..session import RobustSession

USUAL_WIDTH = 512
"""Numbers of an embedding of a model that is not on this machine."""


@dataclass(frozen=True)
class SuiteWork:
    """Every sweep whose data can be opened, and why the others are left out."""

    sweeps: tuple[SweepWork, ...]
    device: str
    """What encodes, such as `cuda:0`."""
    limit: int
    """Bytes that the embedding store keeps."""
    unknown: tuple[str, ...]
    """A sentence for each thing that could not be found out here."""


def suite_work(suite: CollectedSuite, earlier: Mapping[str, Rate]) -> SuiteWork:
    """What is to be encoded; models of this machine are loaded for their width alone."""
    session = suite.session
    device = _device(session, earlier)
    sweeps: list[SweepWork] = []
    unknown: list[str] = []
    for planned in suite.sweeps:
        try:
            sweeps.append(_work(session, planned, device, unknown))
        except RobustError as error:
            unknown.append(f"{planned.model} on {planned.dataset}: {error}")
    settings = session.settings
    return SuiteWork(
        tuple(sweeps), device, settings.cache_limit, tuple(dict.fromkeys(unknown))
    )


def _work(
    session: RobustSession, planned: PlannedSweep, device: str, unknown: list[str]
) -> SweepWork:
    from ...core.encoding import batch_size
    from ...measure.abilities import declares_inputs
    from ...measure.pairs import pairs_of
    from ...measure.planning.work import SweepWork

    settings = session.settings
    pairs = pairs_of(session.loader.dataset(planned.dataset), settings.limit)
    occluders = session.selection.occluders
    kept = [one for one in planned.cells if declares_inputs(occluders[one.occluder])]
    width = _width(session, planned.model)
    if width is None:
        unknown.append(
            f"The width of {planned.model}, which does not load here:"
            f" {USUAL_WIDTH} was taken."
        )
    return SweepWork(
        planned.model,
        planned.dataset,
        len(pairs.images),
        len(pairs.texts),
        1 + len(planned.cells),
        width or USUAL_WIDTH,
        settings.batch_size or batch_size(device),
        1 + len(kept),
    )


def _width(session: RobustSession, model: str) -> int | None:
    """Numbers of an embedding; None where the model is not here or does not work."""
    from ...core.calling import encode_reports

    if session.selection.models[model].absent() is not None:
        return None
    try:
        loaded = session.loader.model(model)
        return int(encode_reports(loaded, ["normal chest"]).rows.shape[1])
    except RobustError:
        return None


def _device(session: RobustSession, earlier: Mapping[str, Rate]) -> str:
    """The device that was typed, else that of the earlier run, else one of this machine."""
    from ...core.device import resolve_device

    # A machine that plans need not have the device that encodes.
    typed = session.settings.device
    if typed != "auto":
        return typed
    for rate in earlier.values():
        return rate.device
    return resolve_device("auto")
