"""The prefix that training code puts before every key: `module.`, `model.`, `_orig_mod.`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from typing import TypeVar

from ...core.errors import ModelError

T = TypeVar("T")

WRAPPERS = (
    r"(?:^|(?<=\.))(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\."
)
"""Parts that torch puts anywhere into keys if a module is compiled, sharded or
checkpointed.
"""


def without_prefix(
    name: str, tensors: Mapping[str, T], own: Collection[str]
) -> tuple[dict[str, T], str]:
    """The tensors under the network's `own` keys, and the prefix, which may be empty.

    Raises `ModelError` if two prefixes lead to a whole network, such as weights beside
    their moving average: no one can know which of the two is meant (`weight_sets`
    takes the one that a user names).
    """
    plain = all_unwrapped(tensors)
    prefix = prefix_of(name, plain, own)
    renamed: dict[str, T] = {}
    # Keys without the prefix first: the network's own weights replace one of the same name.
    for key, tensor in plain.items():
        if not key.startswith(prefix):
            renamed[key] = tensor
    for key, tensor in plain.items():
        if key.startswith(prefix):
            renamed[key.removeprefix(prefix)] = tensor
    return renamed, prefix


def unwrapped(key: str) -> str:
    """A key without the parts of `WRAPPERS`."""
    return re.sub(WRAPPERS, "", key)


def all_unwrapped(tensors: Mapping[str, T]) -> dict[str, T]:
    """The tensors under their keys without wrappers; a key that has none comes first."""
    renamed = {unwrapped(key): tensor for key, tensor in tensors.items()}
    for key, tensor in tensors.items():
        if unwrapped(key) == key:
            renamed[key] = tensor
    return renamed


def prefix_of(name: str, keys: Iterable[str], own: Collection[str]) -> str:
    """The prefix before more than half of the network's `own` keys; empty if there is none."""
    prefixes = prefixes_of(keys, own)
    # Keys without a prefix already fit.
    if not prefixes or "" in prefixes:
        return ""
    if len(prefixes) > 1:
        raise ModelError(
            f"Expected the weights of one network for {name}, got {len(prefixes)} sets"
            f" of them in one file, under {' and '.join(map(repr, prefixes))}. Choose"
            f' one with weights = "{prefixes[0].removesuffix(".")}".'
        )
    return prefixes[0]


def prefixes_of(keys: Iterable[str], own: Collection[str]) -> list[str]:
    """Every prefix before more than half of the network's `own` keys, in order."""
    matches: Counter[str] = Counter()
    for key in keys:
        parts = key.split(".")
        for number in range(len(parts)):
            if ".".join(parts[number:]) in own:
                prefix = "".join(f"{part}." for part in parts[:number])
                matches[prefix] += 1
    return sorted(prefix for prefix, count in matches.items() if 2 * count > len(own))
