"""A counter-based integer hash on tensors: random words from (seed, image id, counter), the same on every device.

Torch's own generators give other numbers on other devices and for other batch splits. Here each word depends on its
key and counter alone, and only on integer operations, which every device does alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..errors import OcclusionError

if TYPE_CHECKING:
    import torch

WORD_BITS = 32
_LOW_32 = 0xFFFFFFFF
_LOW_16 = 0xFFFF


def words(ids: Sequence[str], seed: int, purpose: str, counters: torch.Tensor) -> torch.Tensor:
    """(B, N) int64 random words in [0, 2**32), one for each of the B ids and each of the (N,) counters below 2**32.

    `purpose` (at most 16 bytes) separates streams: the order of cells and the noise of one image are independent.
    """
    low, high = _keys(ids, seed, purpose, counters.device)
    return mix(mix(mix(counters) ^ low[:, None]) ^ high[:, None])


def mix(word: torch.Tensor) -> torch.Tensor:
    """The "lowbias32" integer hash of C. Wellons, a bijection of [0, 2**32), on int64 tensors."""
    word = word ^ (word >> 16)
    word = _multiply(word, 0x21F0AAAD)
    word = word ^ (word >> 15)
    word = _multiply(word, 0xD35A2D97)
    return word ^ (word >> 15)


def _multiply(word: torch.Tensor, factor: int) -> torch.Tensor:
    """`word * factor` modulo 2**32; the factor goes in halves, since a 64-bit product would overflow int64."""
    high = (word * (factor >> 16)) & _LOW_16
    return (word * (factor & _LOW_16) + (high << 16)) & _LOW_32


def _keys(ids: Sequence[str], seed: int, purpose: str, device: torch.device | str) -> tuple[torch.Tensor, torch.Tensor]:
    """The low and high 32 bits of each id's digest, (B,) int64 each."""
    import torch

    digests = [_digest(identity, seed, purpose) for identity in ids]
    halves = [[digest & _LOW_32, digest >> WORD_BITS] for digest in digests]
    low, high = torch.tensor(halves, dtype=torch.int64).reshape(-1, 2).to(device).unbind(1)
    return low, high


def _digest(identity: str, seed: int, purpose: str) -> int:
    """64 bits from (seed, id, purpose); BLAKE2 takes the seed as its salt and the purpose as its personalisation."""
    # Ids may be file names, which Python decodes with surrogates where they are not UTF-8.
    text = identity.encode("utf-8", "surrogatepass")
    digest = hashlib.blake2b(text, digest_size=8, salt=seed.to_bytes(8, "little"), person=purpose.encode())
    return int.from_bytes(digest.digest(), "little")


def check_seed(seed: int) -> None:
    """Raise `OcclusionError` where `seed` is not an int in [0, 2**64)."""
    if not isinstance(seed, int) or isinstance(seed, bool) or not 0 <= seed < 1 << 64:
        raise OcclusionError(f"Expected a seed from 0 to 2**64 - 1, got seed={seed!r}. Use a whole number such as 0.")


def integer_device(device: torch.device | str) -> str:
    """Where to do integer work meant for `device`: on Apple GPUs 64-bit sorting and arithmetic is incomplete."""
    name = str(device)
    return "cpu" if name.startswith("mps") else name
