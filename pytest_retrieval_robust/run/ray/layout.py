"""How many actors a cluster has room for, and what each is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.errors import ConfigError

USUAL_CORES = 4
"""Cores of an actor without a GPU: more of them gain little within one forward pass, and
every actor holds a model of its own.
"""


@dataclass(frozen=True)
class Node:
    """What one node of a cluster has."""

    cores: int
    gpus: int


@dataclass(frozen=True)
class Layout:
    """The actors of a run."""

    actors: int
    cores: int
    """Of each actor, which are its threads of torch where it has no GPU."""
    gpus: int
    """Of each actor: 0 or 1."""


def layout_for(nodes: Sequence[Node], device: str, actors: int | None) -> Layout:
    """One actor per GPU, or else one per few cores of each node.

    `device` is `--robust-device`; `actors` the number that was asked for. Raises
    `ConfigError` for what the nodes have no room for.
    """
    gpus = sum(node.gpus for node in nodes)
    if device == "cuda" or (device == "auto" and gpus):
        return _on_gpus(nodes, gpus, actors)
    return _on_cores(nodes, actors)


def _on_gpus(nodes: Sequence[Node], gpus: int, actors: int | None) -> Layout:
    asked = actors or max(1, gpus)
    if asked > gpus:
        raise ConfigError(
            f"Expected a GPU for each of {asked} actors of Ray, got {described(nodes)}."
            " Add nodes, or lower --robust-ray-actors."
        )
    return Layout(asked, 1, 1)


def _on_cores(nodes: Sequence[Node], actors: int | None) -> Layout:
    most = max((node.cores for node in nodes), default=0)
    for cores in range(most, 0, -1):
        room = sum(node.cores // cores for node in nodes)
        if actors is None and cores <= USUAL_CORES:
            return Layout(room, cores, 0)
        if actors is not None and room >= actors:
            return Layout(actors, cores, 0)
    raise ConfigError(
        f"Expected a core for each of {actors or 1} actors of Ray, got"
        f" {described(nodes)}. Add nodes, or lower --robust-ray-actors."
    )


def described(nodes: Sequence[Node]) -> str:
    """What a cluster has, for messages."""
    cores = sum(node.cores for node in nodes)
    gpus = sum(node.gpus for node in nodes)
    return f"nodes={len(nodes)}, cores={cores}, gpus={gpus}"
