"""Small drawings made of letters: a curve in a row of blocks."""

from __future__ import annotations

import sys
from collections.abc import Sequence

BLOCKS = "▁▂▃▄▅▆▇█"
"""Rising shades."""
_ASCII_BLOCKS = "_.,-=+*#"


def printable_blocks() -> str:
    """The blocks that the standard output's encoding has."""
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    try:
        BLOCKS.encode(encoding)
    except UnicodeEncodeError:
        return _ASCII_BLOCKS
    return BLOCKS


def sparkline(shares: Sequence[float], blocks: str = BLOCKS) -> str:
    """One block per share in [0, 1].

    >>> sparkline([1.0, 0.5, 0.0])
    '█▅▁'
    """
    # A share of exactly 1 belongs to the last block.
    last = len(blocks) - 1
    return "".join(blocks[min(int(share * len(blocks)), last)] for share in shares)
