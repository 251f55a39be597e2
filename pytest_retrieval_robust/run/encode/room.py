"""How much room a suite's embeddings take in the store."""

from __future__ import annotations

SHARD_BYTES = 2_000
"""What a file takes beside its arrays: names, headers, what it was saved with, a digest."""
MOST_WIDTH = 2_048
"""Components that hardly an encoder exceeds: where such rows fit, no width is asked for."""
_PER_IMAGE = 8 + 32
"""The hidden share and the digest of an image."""


def sweep_bytes(
    images: int, reports: int, cells: int, width: int, batch_size: int
) -> int:
    """Bytes that a sweep's shards take, at most.

    `cells` counts level 0 too, and `width` the components of an embedding.
    """
    row = 4 * width
    of_images = cells * (
        images * (row + _PER_IMAGE) + _batches(images, batch_size) * SHARD_BYTES
    )
    return of_images + reports * row + _batches(reports, batch_size) * SHARD_BYTES


def _batches(count: int, batch_size: int) -> int:
    return -(-count // batch_size)
