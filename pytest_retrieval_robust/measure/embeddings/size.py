"""How many bytes of the embedding store a sweep needs, before anything is encoded."""

from __future__ import annotations

_NUMBER = 4
"""Bytes of a float32, of which a row has as many as it is wide."""
_BESIDE_ROW = 8 + 32 + 1
"""Bytes of an image in a cell beside its row: the hidden share, the digest,
and whether it could be read."""
# A shard is an archive without compression: each member takes some 270 bytes for two
# headers, its name twice and a NumPy header. Images have nine members, reports four;
# the key, the digest and what the shard is about have lengths of their own.
_OF_IMAGES = 2540
_OF_REPORTS = 1110


def bytes_needed(
    images: int, cells: int, width: int, batch_size: int, texts: int
) -> int:
    """The size of all shards of one model on one data set, within some percent.

    They are taken as files are counted by the store's limit: by their lengths, not by
    blocks of a disk.

    >>> bytes_needed(images=1000, cells=31, width=512, batch_size=100, texts=1000)
    67605500

    Args:
        images: Images of the data set.
        cells: Occlusions that are measured, level 0 included, as far as their
            embeddings are kept.
        width: Numbers of an embedding.
        batch_size: Images, or reports, of one shard.
        texts: Reports of the gallery.
    """
    row = _NUMBER * width
    of_cell = images * (row + _BESIDE_ROW) + _shards(images, batch_size) * _OF_IMAGES
    of_gallery = texts * row + _shards(texts, batch_size) * _OF_REPORTS
    return cells * of_cell + of_gallery


def _shards(inputs: int, batch_size: int) -> int:
    return -(-inputs // batch_size)
