"""Seconds and disk of a sweep on a number of workers."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .constants import Constants, FileCost
from .rates import Rate
from .work import SweepWork


@dataclass(frozen=True)
class Workers:
    """Equal workers that share a disk."""

    count: int
    cores: int
    """Of each, which decode."""
    device: str = "cpu"
    disk_bytes_per_second: float | None = None
    """Of all workers together; None if it is not known."""


@dataclass(frozen=True)
class Estimate:
    """What a sweep takes. None for what is not known."""

    work: SweepWork
    encode_seconds: float | None
    """Until the last batch is encoded, decoding aside."""
    decode_seconds: float | None
    """Until the last image is decoded, encoding aside."""
    disk_seconds: float | None
    """Until the disk has given every image."""
    text_seconds: float | None
    rank_seconds: float
    """Of ranks in both directions of every cell, on one machine."""
    is_overlapped: bool
    """Whether decoding goes on while the device encodes."""

    @property
    def sweep_seconds(self) -> float | None:
        """Until everything is in the store, as far as decoding and the disk are known."""
        if self.encode_seconds is None:
            return None
        decoding = self.decode_seconds or 0.0
        if self.is_overlapped:
            computing = max(self.encode_seconds, decoding)
        else:
            computing = self.encode_seconds + decoding
        return max(computing, self.disk_seconds or 0.0) + (self.text_seconds or 0.0)

    @property
    def total_seconds(self) -> float | None:
        if self.sweep_seconds is None:
            return None
        return self.sweep_seconds + self.rank_seconds

    @property
    def images_from_disk_per_second(self) -> float | None:
        """Images that the shared disk has to give in a second."""
        if not self.sweep_seconds:
            return None
        return self.work.images / self.sweep_seconds

    @property
    def deciding(self) -> str:
        """What takes the longest; `encoding` where nothing else is known."""
        parts = {
            "encoding": self.encode_seconds,
            "decoding": self.decode_seconds,
            "the disk": self.disk_seconds,
            "ranks": self.rank_seconds,
        }
        known = {name: seconds for name, seconds in parts.items() if seconds}
        if self.encode_seconds is None or not known:
            return "not known"
        return max(known, key=lambda name: known[name])


def estimate(
    work: SweepWork,
    workers: Workers,
    rate: Rate | None,
    file: FileCost | None,
    constants: Constants,
) -> Estimate:
    """What a sweep takes on these workers.

    A worker does whole batches, so that the slowest does one more than others. Workers are
    taken to be equal and to stay up: `benchmarks.workers` says what others cost.
    """
    share = math.ceil(work.batches / workers.count) * work.batch_size
    # With one worker the last batch is as short as it is.
    most_images = min(share, work.images)
    encode_seconds = None
    text_seconds = None
    if rate is not None:
        encode_seconds = most_images * work.cells * rate.image_seconds
        if rate.text_seconds is not None:
            text_seconds = work.texts * rate.text_seconds / workers.count
    decode_seconds = None
    disk_seconds = None
    if file is not None:
        seconds = file.decode_seconds + file.digest_seconds
        decode_seconds = most_images * seconds / workers.cores
        if workers.disk_bytes_per_second is not None:
            disk_seconds = work.images * file.bytes / workers.disk_bytes_per_second
    ranks = constants.ranks.seconds(work.images, work.reports, work.width)
    return Estimate(
        work,
        encode_seconds,
        decode_seconds,
        disk_seconds,
        text_seconds,
        (work.cells + work.text_cells) * ranks / workers.cores,
        is_overlapped=workers.device != "cpu",
    )
