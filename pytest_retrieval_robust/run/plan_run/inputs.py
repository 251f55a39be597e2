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
    """What is to be encoded. Models are loaded, because rows are as wide as they make them."""
    session = suite.session
    device = _device(session, earlier)
    sweeps: list[SweepWork] = []
    absent: list[str] = []
    unknown: list[str] = []
    for planned in suite.sweeps:
        if session.selection.models[planned.model].absent() is not None:
            absent.append(planned.model)
            continue
        try:
            sweeps.append(_work(session, planned, device))
        except RobustError as error:
            unknown.append(f"{planned.model} on {planned.dataset}: {error}")
    if absent:
        unknown.append(
            "What models need that are not on this machine, where a run skips them:"
            f" {', '.join(dict.fromkeys(absent))}."
        )
    return SuiteWork(
        tuple(sweeps), device, session.settings.cache_limit, tuple(unknown)
    )


def _work(session: RobustSession, planned: PlannedSweep, device: str) -> SweepWork:
    from ...core.calling import encode_reports
    from ...core.encoding import batch_size
    from ...measure.abilities import declares_inputs
    from ...measure.pairs import pairs_of
    from ...measure.planning.work import SweepWork

    settings = session.settings
    pairs = pairs_of(session.loader.dataset(planned.dataset), settings.limit)
    images = [cell for cell in planned.cells if cell.family != "text-noise"]
    selection = session.selection
    changes = [selection.perturbation(one.family, one.occluder) for one in images]
    kept = [change for change in changes if declares_inputs(change)]
    model = session.loader.model(planned.model)
    return SweepWork(
        planned.model,
        planned.dataset,
        len(pairs.images),
        len(pairs.texts),
        1 + len(images),
        int(encode_reports(model, ["normal chest"]).rows.shape[1]),
        settings.batch_size or batch_size(device),
        # An embedding of a model without a hash of its weights is never kept.
        0 if model.card.sha256 is None else 1 + len(kept),
        text_cells=len(planned.cells) - len(images),
    )


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
