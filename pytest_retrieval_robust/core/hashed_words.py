"""Random words that follow from a text, a seed and a position alone.

The same in every process and on every machine. A word does not depend on how many are
asked for, so that what is drawn for a part of a text stays when more parts are drawn.
"""

from __future__ import annotations

import hashlib

WORD_BITS = 32
_WORD_BYTES = WORD_BITS // 8
_BLOCK_BYTES = 64


def hashed_words(text: str, seed: int, purpose: str, count: int) -> list[int]:
    """`count` words in [0, 2**32).

    Args:
        text: What they are drawn for.
        seed: From 0 to 2**64 - 1.
        purpose: At most 16 bytes; separates streams of one text and seed.
        count: How many words.
    """
    # Texts may hold surrogates where a file was not UTF-8.
    written = text.encode("utf-8", "surrogatepass")
    salt = seed.to_bytes(8, "little")
    key = hashlib.blake2b(written, salt=salt, person=purpose.encode()).digest()
    drawn = b"".join(
        hashlib.blake2b(block.to_bytes(8, "little"), key=key).digest()
        for block in range(-(-count * _WORD_BYTES // _BLOCK_BYTES))
    )
    starts = range(0, count * _WORD_BYTES, _WORD_BYTES)
    return [int.from_bytes(drawn[at : at + _WORD_BYTES], "little") for at in starts]


def hashed_order(text: str, seed: int, purpose: str, count: int) -> list[int]:
    """The numbers from 0 to `count` - 1 in a random order."""
    words = hashed_words(text, seed, purpose, count)
    return sorted(range(count), key=lambda number: (words[number], number))
