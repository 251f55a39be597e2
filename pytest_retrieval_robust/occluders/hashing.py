"""A counter-based integer hash on tensors: random words from (seed, image id, counter),
the same on every device.

Torch's own generators give other numbers on other devices and for other batch splits.
Here each word depends on its key and counter alone, and only on integer operations,
which every device does alike.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..core.errors import OcclusionError
from ..core.uploads import upload

if TYPE_CHECKING:
    import torch

WORD_BITS = 32
_LOW_32 = 0xFFFFFFFF
_LOW_16 = 0xFFFF
_PIECE = 1 << 16
"""Words that are mixed together on the host: an image of up to 256 x 256 pixels."""


def words(
    ids: Sequence[str], seed: int, purpose: str, counters: torch.Tensor
) -> torch.Tensor:
    """(B, N) int64 random words in [0, 2**32), one for each of the B ids and each of
    the (N,) counters below 2**32.

    `purpose` (at most 16 bytes) separates streams: the order of cells and the noise of
    one image are independent.
    """
    import torch

    keys = _keys(ids, seed, purpose)
    if counters.device.type == "cpu":
        drawn = _host_words(keys, counters.numpy().astype(np.uint32))
        return torch.from_numpy(drawn.astype(np.int64))
    low, high = upload(keys, counters.device).unbind(1)
    mixed = mix(mix(counters) ^ low[:, None])
    return mix(mixed ^ high[:, None])


def mixed_counters(counters: torch.Tensor) -> torch.Tensor:
    """(N,) what `narrow_words` takes of counters below 2**32, for any ids and seed."""
    import torch

    if counters.device.type != "cpu":
        return mix(counters)
    mixed = _mix_host(counters.numpy().astype(np.uint32))
    return torch.from_numpy(mixed.view(np.int32))


def narrow_words(
    ids: Sequence[str], seed: int, purpose: str, mixed: torch.Tensor
) -> torch.Tensor:
    """(B, N) int32: `words` of counters that `mixed_counters` took, less 2**31. They
    have the words' order and low 31 bits.
    """
    import torch

    keys = _keys(ids, seed, purpose)
    if mixed.device.type == "cpu":
        drawn = _narrow_host_words(keys, mixed.numpy().view(np.uint32))
        return torch.from_numpy(drawn.view(np.int32))
    low, high = upload(keys, mixed.device).unbind(1)
    word = mix(mix(mixed ^ low[:, None]) ^ high[:, None])
    return (word - (1 << 31)).to(torch.int32)


def host_words(identity: str, seed: int, purpose: str, count: int) -> NDArray[np.int64]:
    """(count,) the first words of `words` for one id, on the host."""
    keys = _keys([identity], seed, purpose)
    drawn = _host_words(keys, np.arange(count, dtype=np.uint32))
    return drawn.astype(np.int64).reshape(count)


def by_hash(ids: Sequence[str], purpose: str) -> list[int]:
    """The numbers of a data set's image ids in an order that only the ids decide,
    whatever order they come in.
    """
    # The first word of each id, all at once: one by one they would take far longer.
    first_words = _host_words(_keys(ids, 0, purpose), np.arange(1, dtype=np.uint32))
    keyed = zip(first_words[:, 0].tolist(), ids, range(len(ids)), strict=True)
    return [number for _, _, number in sorted(keyed)]


def _host_words(
    keys: NDArray[np.int64], counters: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """The same words in unsigned 32-bit arithmetic, which wraps by itself: four times
    as fast where it exists.
    """
    low, high = keys.astype(np.uint32).T
    mixed = _mix_host(counters)[None]
    mixed = _mix_host(mixed ^ low[:, None])
    return _mix_host(mixed ^ high[:, None])


def _narrow_host_words(
    keys: NDArray[np.int64], mixed: NDArray[np.uint32]
) -> NDArray[np.uint32]:
    """What `narrow_words` gives, a piece after another, so that the processor's cache
    holds what is worked on.
    """
    drawn = np.empty((len(keys), len(mixed)), dtype=np.uint32)
    scratch = np.empty(_PIECE, dtype=np.uint32)
    for row, (low, high) in zip(drawn, keys.astype(np.uint32), strict=True):
        for start in range(0, len(mixed), _PIECE):
            word = row[start : start + _PIECE]
            np.bitwise_xor(mixed[start : start + _PIECE], low, out=word)
            _mix_in_place(word, scratch[: len(word)])
            word ^= high
            _mix_in_place(word, scratch[: len(word)])
            word ^= np.uint32(1 << 31)
    return drawn


def _mix_in_place(word: NDArray[np.uint32], scratch: NDArray[np.uint32]) -> None:
    """`_mix_host` without new memory."""
    np.right_shift(word, np.uint32(16), out=scratch)
    word ^= scratch
    word *= np.uint32(0x21F0AAAD)
    np.right_shift(word, np.uint32(15), out=scratch)
    word ^= scratch
    word *= np.uint32(0xD35A2D97)
    np.right_shift(word, np.uint32(15), out=scratch)
    word ^= scratch


def _mix_host(word: NDArray[np.uint32]) -> NDArray[np.uint32]:
    word = word ^ (word >> np.uint32(16))
    word = word * np.uint32(0x21F0AAAD)
    word ^= word >> np.uint32(15)
    word *= np.uint32(0xD35A2D97)
    word ^= word >> np.uint32(15)
    return word


def mix(word: torch.Tensor) -> torch.Tensor:
    """The "lowbias32" integer hash of C. Wellons, a bijection of [0, 2**32), on int64 tensors."""
    word = word ^ (word >> 16)
    word = _multiply(word, 0x21F0AAAD)
    word = word ^ (word >> 15)
    word = _multiply(word, 0xD35A2D97)
    return word ^ (word >> 15)


def _multiply(word: torch.Tensor, factor: int) -> torch.Tensor:
    """`word * factor` modulo 2**32, the factor in halves: a 64-bit product would
    overflow int64.
    """
    high = (word * (factor >> 16)) & _LOW_16
    return (word * (factor & _LOW_16) + (high << 16)) & _LOW_32


def places(keys: torch.Tensor) -> torch.Tensor:
    """(B, N) int64: the rank, from 0, of each key within its row. Keys of a row must all
    differ.
    """
    import torch

    if keys.device.type == "cpu":
        # NumPy's sort is four times as fast as torch's here.
        rising = np.argsort(keys.numpy(), axis=1)
        ranks: NDArray[Any] = np.empty_like(rising)
        np.put_along_axis(ranks, rising, np.arange(keys.shape[1])[None], axis=1)
        return torch.from_numpy(ranks)
    sequence = keys.argsort(dim=1)
    numbers = torch.arange(keys.shape[1], device=keys.device)
    return torch.empty_like(sequence).scatter_(1, sequence, numbers.expand_as(sequence))


def _keys(ids: Sequence[str], seed: int, purpose: str) -> NDArray[np.int64]:
    """(B, 2) the low and high 32 bits of each id's digest."""
    digests = [_digest(identity, seed, purpose) for identity in ids]
    return np.array(digests, dtype=np.int64).reshape(-1, 2)


@lru_cache(maxsize=1 << 16)
def _digest(identity: str, seed: int, purpose: str) -> tuple[int, int]:
    """The low and high 32 bits of a hash of (seed, id, purpose).

    BLAKE2 takes the seed as salt and the purpose as personalisation.
    """
    # Ids may be file names, which Python decodes with surrogates where they are not UTF-8.
    text = identity.encode("utf-8", "surrogatepass")
    salt = seed.to_bytes(8, "little")
    digest = hashlib.blake2b(text, digest_size=8, salt=salt, person=purpose.encode())
    number = int.from_bytes(digest.digest(), "little")
    return number & _LOW_32, number >> WORD_BITS


def check_seed(seed: int) -> None:
    """Raise `OcclusionError` where `seed` is not an int in [0, 2**64)."""
    is_int = isinstance(seed, int) and not isinstance(seed, bool)
    if not is_int or not 0 <= seed < 1 << 64:
        raise OcclusionError(
            f"Expected a seed from 0 to 2**64 - 1, got seed={seed!r}. Use a whole"
            " number such as 0."
        )


def integer_device(device: torch.device | str) -> str:
    """Where to do integer work meant for `device`: on Apple GPUs 64-bit sorting and
    arithmetic is incomplete.
    """
    name = str(device)
    return "cpu" if name.startswith("mps") else name
