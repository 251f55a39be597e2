"""A plan in words: one block per sweep, then all of them together."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ...measure.planning.estimate import Estimate
from ...measure.planning.rates import Rate
from .inputs import SuiteWork

HOUR = 3600.0
MINUTE = 60.0


@dataclass(frozen=True)
class PlannedTimes:
    """A sweep on one worker and on several, and where its speed is known from."""

    rate: Rate | None
    alone: Estimate
    shared: Estimate


def shown_seconds(seconds: float | None) -> str:
    """A time with two digits or more; `not known` for None.

    >>> shown_seconds(5400), shown_seconds(90), shown_seconds(2.25)
    ('1.5 h', '1.5 min', '2.2 s')
    """
    if seconds is None:
        return "not known"
    if seconds >= HOUR:
        return f"{seconds / HOUR:,.1f} h"
    if seconds >= MINUTE:
        return f"{seconds / MINUTE:.1f} min"
    return f"{seconds:.1f} s"


def shown_bytes(size: float) -> str:
    """A size in units of 1000.

    >>> shown_bytes(2_500_000_000), shown_bytes(12)
    ('2.5 GB', '12 bytes')
    """
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size >= factor:
            return f"{size / factor:.1f} {unit}"
    return f"{size:.0f} bytes"


def plan_lines(
    suite: SuiteWork, times: Sequence[PlannedTimes], workers: int
) -> Iterator[str]:
    """The whole plan."""
    for one in times:
        yield from _sweep_lines(one, workers)
    yield from _total_lines(suite, times, workers)
    unknown = [*suite.unknown, *_unknown_speeds(times)]
    if unknown:
        yield "Not known:"
    for sentence in unknown:
        yield f"  {sentence}"


def _sweep_lines(times: PlannedTimes, workers: int) -> Iterator[str]:
    alone = times.alone
    shared = times.shared
    work = alone.work
    yield (
        f"{work.model} on {work.dataset}: {work.images:,} images x {work.cells} cells ="
        f" {work.encodings:,} encodings in {work.batches:,} batches; {work.reports:,}"
        " reports"
    )
    yield (
        f"  disk: {shown_bytes(work.store_bytes)} in the embedding store,"
        f" {shown_bytes(work.spill_bytes)} for a while where ranks are made"
    )
    if times.rate is not None:
        yield (
            f"  encode: {_both(alone.sweep_seconds, shared.sweep_seconds, workers)}; what"
            f" decides: {shared.deciding}"
        )
        speed = 1 / times.rate.image_seconds
        yield f"  {speed:,.3g} images/s per worker, by {times.rate.source}"
    per_second = shared.images_from_disk_per_second
    if per_second is not None:
        yield f"  the disk gives {per_second:,.3g} images/s to all workers together"
    yield f"  ranks: {shown_seconds(shared.rank_seconds)}, on one machine's processor"


def _total_lines(
    suite: SuiteWork, times: Sequence[PlannedTimes], workers: int
) -> Iterator[str]:
    encodings = sum(one.alone.work.encodings for one in times)
    size = sum(one.alone.work.store_bytes for one in times)
    holds = "holds it"
    if size > suite.limit:
        holds = "is too small: raise it, here and for the suite"
    yield f"All: {encodings:,} encodings on {suite.device}"
    yield (
        f"  embedding store: {shown_bytes(size)}; --robust-cache-limit"
        f" {shown_bytes(suite.limit)} {holds}"
    )
    alone = _sum([one.alone.total_seconds for one in times])
    shared = _sum([one.shared.total_seconds for one in times])
    yield f"  encode and rank: {_both(alone, shared, workers)}"


def _both(alone: float | None, shared: float | None, workers: int) -> str:
    """A time on one worker, and on all of them."""
    if alone is None or shared is None or workers == 1:
        return shown_seconds(alone)
    return f"{shown_seconds(alone)} on 1 worker, {shown_seconds(shared)} on {workers:,}"


def _sum(seconds: Sequence[float | None]) -> float | None:
    """The sum; None if one is not known."""
    known = [one for one in seconds if one is not None]
    return sum(known) if len(known) == len(seconds) else None


def _unknown_speeds(times: Sequence[PlannedTimes]) -> Iterator[str]:
    """A sentence for each thing that no time above has in it."""
    slow = [one.alone.work.model for one in times if one.rate is None]
    if slow:
        yield (
            f"How quickly {', '.join(dict.fromkeys(slow))} encodes: give --from RUN, a"
            " run with --robust-limit 200 on such a worker, or --images-per-second X."
        )
    if any(one.alone.decode_seconds is None for one in times):
        yield "How long decoding takes: give --files KIND (docs/scale.md has the kinds)."
    elif any(one.shared.disk_seconds is None for one in times):
        yield "What the shared disk gives: give --disk, such as --disk 2GB per second."
    if any(one.rate is not None and one.rate.text_seconds is None for one in times):
        yield "How long reports take, which are encoded once per model."
    if any(one.rate is not None and "earlier" not in one.rate.source for one in times):
        yield "How long hiding takes: only --from RUN has it."
