"""How quickly a model encodes, and where that is known from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from ...core.outcomes import Outcome, Timing
from .constants import Constants


@dataclass(frozen=True)
class Rate:
    """Seconds per image of one worker, hiding included as far as it is known."""

    image_seconds: float
    source: str
    """In words that follow `from`."""
    text_seconds: float | None = None
    """None where it is not known."""
    device: str = ""
    """What it holds for, such as `cuda:0`; empty where nobody said."""


def typed_rate(images_per_second: float) -> Rate:
    """The rate that a user typed, of one worker."""
    return Rate(1 / images_per_second, "--images-per-second")


def rates_of_run(outcomes: Iterable[Outcome]) -> dict[str, Rate]:
    """The rate of each model in an earlier run, of everything that it encoded itself.

    Its devices together count as one worker.
    """
    images: defaultdict[str, float] = defaultdict(float)
    seconds: defaultdict[str, float] = defaultdict(float)
    timings: dict[str, Timing] = {}
    for outcome in outcomes:
        timing = outcome.timing
        speed = timing.images_per_second
        # Nothing is known from what came from the store.
        if speed is None or timing.encode_seconds <= 0:
            continue
        model = outcome.case.model
        images[model] += speed * timing.encode_seconds
        seconds[model] += timing.encode_seconds + timing.occlude_seconds
        timings[model] = timing
    rates = {}
    for model, timing in timings.items():
        source = f"the earlier run, on {timing.hardware or timing.device}"
        image_seconds = seconds[model] / images[model]
        rates[model] = Rate(image_seconds, source, device=timing.device)
    return rates


def measured_rate(model: str, cores: int, constants: Constants) -> Rate | None:
    """The rate of a published model on a worker's cores, a batch's parts on each.

    Holds for float32 on the processor of the constants. None for another model.
    """
    cost = constants.encoder_of(model)
    if cost is None:
        return None
    return Rate(
        cost.image_seconds / cores,
        f"{cost.architecture} on {constants.hardware}",
        cost.text_seconds / cores,
        "cpu",
    )


def rate_of(
    model: str,
    device: str,
    cores: int,
    typed: float | None,
    earlier: Mapping[str, Rate],
    constants: Constants,
) -> Rate | None:
    """The best that is known of a model's speed on a worker; None if nothing is.

    What was typed comes first, then an earlier run, then this package's own measurement,
    which holds for a processor alone.
    """
    if typed is not None:
        return typed_rate(typed)
    if model in earlier:
        return earlier[model]
    if device == "cpu":
        return measured_rate(model, cores, constants)
    return None
