"""How many actors a cluster gets."""

from __future__ import annotations

import pytest

from pytest_retrieval_robust.core.errors import ConfigError
from pytest_retrieval_robust.run.ray.layout import Layout, Node, layout_for

LAPTOP = [Node(2, 0)]
SERVERS = [Node(16, 0), Node(6, 0)]
CARDS = [Node(8, 2), Node(8, 1), Node(32, 0)]


@pytest.mark.parametrize(
    ("nodes", "device", "actors", "layout"),
    [
        (LAPTOP, "auto", None, Layout(1, 2, 0)),
        (LAPTOP, "auto", 2, Layout(2, 1, 0)),
        (SERVERS, "cpu", None, Layout(5, 4, 0)),
        (SERVERS, "cpu", 3, Layout(3, 6, 0)),
        (CARDS, "auto", None, Layout(3, 1, 1)),
        (CARDS, "cuda", 2, Layout(2, 1, 1)),
        (CARDS, "cpu", 4, Layout(4, 8, 0)),
    ],
)
def test_actors_have_a_gpu_each_or_else_cores(
    nodes: list[Node], device: str, actors: int | None, layout: Layout
) -> None:
    assert layout_for(nodes, device, actors) == layout


@pytest.mark.parametrize(
    ("nodes", "device", "actors", "has"),
    [
        (LAPTOP, "cuda", None, "gpus=0"),
        (CARDS, "auto", 4, "gpus=3"),
        (LAPTOP, "cpu", 3, "cores=2"),
        ([], "auto", None, "nodes=0"),
    ],
)
def test_what_a_cluster_lacks_is_said_at_once(
    nodes: list[Node], device: str, actors: int | None, has: str
) -> None:
    with pytest.raises(ConfigError, match=has):
        layout_for(nodes, device, actors)
