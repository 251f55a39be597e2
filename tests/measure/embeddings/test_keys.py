"""What stored embeddings follow from: whatever changes it changes their key."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import Tensor

import pytest_retrieval_robust
from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.measure.embeddings import source_code
from pytest_retrieval_robust.measure.embeddings.keys import (
    batch_key,
    key_of,
    model_identity,
    occluder_identity,
    package_files,
    texts_key,
)
from pytest_retrieval_robust.models import ModelCard, Prepared
from pytest_retrieval_robust.occluders import Occluder
from pytest_retrieval_robust.occluders._scene import Setting
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.guided import GuidedOccluder

PACKAGE = Path(pytest_retrieval_robust.__file__).parent
NOT_OF_THE_NUMBERS = {
    "core/atomic_files.py",
    "core/cases.py",
    "core/catalogue.py",
    "core/errors.py",
    "core/files.py",
    "core/foreign.py",
    "core/names.py",
    "core/outcomes.py",
    "core/progress.py",
    "measure/pairs.py",
    "measure/query_keys.py",
    "measure/timing/clock.py",
    "retrieval/bootstrap.py",
    "retrieval/intervals.py",
    "retrieval/metrics/median_rank.py",
    "retrieval/metrics/recall.py",
    "retrieval/metrics/reciprocal_rank.py",
    "retrieval/ranking/__init__.py",
}
"""Modules that the encoding imports, and from which no embedding follows."""


def imports_at_run_time(tree: ast.AST) -> Iterator[ast.ImportFrom]:
    """The relative imports of a module, without those for type checking alone."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node
        yield from imports_at_run_time(node)


def imported_files(file: Path) -> Iterator[Path]:
    """The package's own files that a file imports."""
    for node in imports_at_run_time(ast.parse(file.read_text(encoding="utf-8"))):
        folder = file.parents[node.level - 1]
        module = folder.joinpath(*(node.module or "").split("."))
        for alias in node.names:
            candidates = (
                module / f"{alias.name}.py",
                module / alias.name / "__init__.py",
                module.with_suffix(".py"),
                module / "__init__.py",
            )
            yield next(path for path in candidates if path.is_file())


def test_all_code_that_bears_on_embeddings_is_in_their_keys() -> None:
    hashed = set(package_files())
    imported = {path for file in hashed for path in imported_files(file)}
    missing = {path.relative_to(PACKAGE).as_posix() for path in imported - hashed}
    assert missing <= NOT_OF_THE_NUMBERS


@given(
    st.lists(st.binary(max_size=3), max_size=4),
    st.lists(st.binary(max_size=3), max_size=4),
)
def test_parts_keep_their_borders(one: list[bytes], other: list[bytes]) -> None:
    assert (key_of(*one) == key_of(*other)) == (one == other)


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
)
def test_other_texts_have_another_key(one: list[str], other: list[str]) -> None:
    assert (texts_key(b"m", one) == texts_key(b"m", other)) == (one == other)


def test_every_part_of_a_batch_is_in_its_key() -> None:
    images = [("a", b"1" * 32), ("b", b"2" * 32)]
    keys = {
        batch_key(b"m", b"o", images),
        batch_key(b"n", b"o", images),
        batch_key(b"m", b"p", images),
        batch_key(b"m", b"o", images[::-1]),
        batch_key(b"m", b"o", images[:1]),
        batch_key(b"m", b"o", [("a", b"1" * 32), ("b", b"3" * 32)]),
        batch_key(b"m", b"o", [("a", b"1" * 32), ("c", b"2" * 32)]),
    }
    assert len(keys) == 7


@dataclass
class Plain:
    """A model that its own knobs change and its card does not tell of."""

    card: ModelCard = ModelCard("test", sha256="ab")  # noqa: RUF009 - frozen
    name: str = "plain"
    device: str = "cpu"
    shift: float = 0.0
    words: float = 1.0
    fails: bool = False

    def prepare(self, image: Image.Image) -> Prepared:
        return Prepared(
            np.asarray(image.resize((8, 8))).transpose(2, 0, 1).copy(),
            (0.0, 0.0, 1.0, 1.0 + self.shift),
        )

    def encode_images(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.normalize(pixels.flatten(1), dim=1)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        if self.fails:
            raise KeyError("unknown text")
        rows = torch.tensor([[len(text) * self.words, 1.0] for text in texts])
        return torch.nn.functional.normalize(rows, dim=1)


def test_what_a_card_does_not_tell_changes_a_models_identity() -> None:
    models = [
        Plain(),
        Plain(card=ModelCard("test", sha256="cd")),
        Plain(card=ModelCard("test", sha256="ab", context_length=77)),
        Plain(shift=0.5),
        Plain(words=2.0),
    ]
    found = [model_identity(model, "fp32") for model in models] + [
        model_identity(Plain(), "bf16")
    ]
    assert all(one != other for one, other in combinations(found, 2))
    assert (
        model_identity(
            Plain(name="another", card=ModelCard("elsewhere", sha256="ab")), "fp32"
        )
        == found[0]
    )


@pytest.mark.parametrize(
    "model",
    [Plain(card=ModelCard("test")), Plain(fails=True)],
    ids=["no hash", "fails"],
)
def test_a_model_that_cannot_be_known_again_has_no_identity(model: Plain) -> None:
    assert model_identity(model, "fp32") is None


def test_code_that_changed_since_it_was_loaded_is_not_known(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert model_identity(Plain(), "fp32") is not None
    monkeypatch.setattr(source_code, "LOADED", 0.0)
    assert model_identity(Plain(), "fp32") is None


def test_a_class_without_a_file_is_not_known() -> None:
    interactive = type("Typed", (Plain,), {"__module__": "__nowhere__"})
    assert model_identity(interactive(), "fp32") is None


def test_an_embedded_model_is_known_again_when_loaded_again() -> None:
    one, other = (load_model("tiny-cxr-clip", device="cpu") for _ in range(2))
    assert model_identity(one, "fp32") == model_identity(other, "fp32") is not None


class Mine(Patches):
    """A user's own, by inheritance."""


class Telling(Patches):
    def looked_at(self, *_: Any) -> bytes:
        return b"version 2 of my order"


@pytest.mark.parametrize(
    ("one", "level", "seed"),
    [
        (load_occluder("patches"), 0.2, 0),
        (load_occluder("patches"), 0.1, 1),
        (load_occluder("patches(grid=7)"), 0.1, 0),
        (load_occluder("patches(fill=mean)"), 0.1, 0),
        (Mine(), 0.1, 0),
    ],
    ids=["level", "seed", "grid", "fill", "class"],
)
def test_another_occlusion_has_another_identity(
    one: Occluder, level: float, seed: int
) -> None:
    assert occluder_identity(one, level, seed) != occluder_identity(
        load_occluder("patches"), 0.1, 0
    )


def setting(shift: float = 0.0, groups: int = 0) -> Setting:
    rows = torch.nn.functional.normalize(
        torch.arange(8.0).reshape(4, 2) + 1 + shift, dim=1
    )
    return Setting(
        load_model("tiny-cxr-clip", device="cpu"),
        load_dataset("synthetic-cxr", pairs=20),
        rows,
        np.arange(4) + groups,
    )


def test_what_an_occluder_looks_at_is_known_or_it_is_not_stored() -> None:
    numbers, groups = [0, 1], np.array([0, 1])
    assert Patches().looked_at(setting(), numbers, groups) == b""
    assert Mine().looked_at(setting(), numbers, groups) is None
    assert Telling().looked_at(setting(), numbers, groups) == b"version 2 of my order"
    salient = load_occluder("salient")
    assert isinstance(salient, GuidedOccluder)
    seen = [
        salient.looked_at(setting(), numbers, groups),
        salient.looked_at(setting(0.1), numbers, groups),
        salient.looked_at(setting(groups=1), numbers, groups),
        salient.looked_at(setting(), numbers, groups[::-1].copy()),
    ]
    assert len(set(seen)) == 4


def test_donors_and_masks_are_looked_at() -> None:
    numbers, groups, here = [0, 1], np.array([0, 1]), setting()
    donors: Any = load_occluder("patches(fill=donor)")
    assert len(donors.looked_at(here, numbers, groups)) == 32
    regions: Any = load_occluder("regions")
    seen = regions.looked_at(here, numbers, groups)

    class OtherMasks:
        def masks(self, index: int) -> Any:
            found = dict(here.dataset.masks(index))  # type: ignore[attr-defined]
            return {name: ~mask if index == 1 else mask for name, mask in found.items()}

        def __getattr__(self, name: str) -> Any:
            return getattr(here.dataset, name)

    assert (
        regions.looked_at(replace(here, dataset=OtherMasks()), numbers, groups) != seen
    )
    assert regions.looked_at(here, numbers, groups) == seen
