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
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.embeddings import source_code
from pytest_retrieval_robust.measure.embeddings.keys import (
    batch_key,
    change_identity,
    key_of,
    model_identity,
    package_files,
    texts_key,
)
from pytest_retrieval_robust.models import ModelCard, Prepared
from pytest_retrieval_robust.occluders import Occluder
from pytest_retrieval_robust.occluders.area.patches import Patches
from pytest_retrieval_robust.occluders.guided import GuidedOccluder
from pytest_retrieval_robust.occluders.scene import Setting

PACKAGE = Path(pytest_retrieval_robust.__file__).parent
NOT_OF_THE_NUMBERS = {
    "core/atomic_files.py",
    "core/cases.py",
    "core/catalogue.py",
    "core/counterfactuals.py",
    "core/device.py",
    "core/errors.py",
    "core/files.py",
    "core/foreign.py",
    "core/loaders.py",
    "core/names.py",
    "core/outcomes.py",
    "core/progress.py",
    "core/plain_text.py",
    "core/shared_values.py",
    "core/shown_values.py",
    "core/strata.py",
    "core/time_limit.py",
    "core/words.py",
    "measure/counterfactual/sweep_edits.py",
    "measure/pairs.py",
    "measure/queries.py",
    "measure/query_keys.py",
    "measure/same_texts.py",
    "measure/strata.py",
    "measure/timing/clock.py",
    "measure/timing/hardware.py",
    "retrieval/bootstrap.py",
    "retrieval/intervals.py",
    "retrieval/metrics/named.py",
    "retrieval/metrics/median_rank.py",
    "retrieval/metrics/recall.py",
    "retrieval/metrics/reciprocal_rank.py",
    "retrieval/ranking/__init__.py",
    "retrieval/risk_coverage.py",
    "retrieval/shares.py",
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
def test_parts_keep_their_borders(first: list[bytes], second: list[bytes]) -> None:
    assert (key_of(*first) == key_of(*second)) == (first == second)


@given(
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
    st.lists(st.text(max_size=3), min_size=1, max_size=3),
)
def test_other_texts_have_another_key(first: list[str], second: list[str]) -> None:
    is_same_key = texts_key(b"m", first) == texts_key(b"m", second)
    assert is_same_key == (first == second)


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
    """A model that its fields change, most of which its card does not state."""

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
    identities = [model_identity(model, "fp32") for model in models]
    identities.append(model_identity(Plain(), "bf16"))
    for first, second in combinations(identities, 2):
        assert first != second
    # Neither a name nor a source changes a number.
    renamed = Plain(name="another", card=ModelCard("elsewhere", sha256="ab"))
    assert model_identity(renamed, "fp32") == identities[0]


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
    first = load_model("tiny-cxr-clip", device="cpu")
    second = load_model("tiny-cxr-clip", device="cpu")
    assert model_identity(first, "fp32") == model_identity(second, "fp32") is not None


class Mine(Patches):
    """A user's own, by inheritance."""


class Declaring(Patches):
    def looked_at(self, *_: Any) -> bytes:
        return b"version 2 of my order"


@pytest.mark.parametrize(
    ("changed", "level", "seed"),
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
    changed: Occluder, level: float, seed: int
) -> None:
    usual = change_identity(load_occluder("patches"), Cell("patches", 0.1, 0))
    assert change_identity(changed, Cell(changed.name, level, seed)) != usual


def test_a_corruption_is_told_from_an_occluder_of_its_name() -> None:
    occluder = load_occluder("patches")
    cell = Cell("patches", 0.1, 0)
    corrupted = replace(cell, family="corruption")
    assert change_identity(occluder, cell) != change_identity(occluder, corrupted)


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
    numbers = [0, 1]
    groups = np.array([0, 1])
    assert Patches().looked_at(setting(), numbers, groups) == b""
    assert Mine().looked_at(setting(), numbers, groups) is None
    assert Declaring().looked_at(setting(), numbers, groups) == b"version 2 of my order"
    salient = load_occluder("salient")
    assert isinstance(salient, GuidedOccluder)
    digests = [
        salient.looked_at(setting(), numbers, groups),
        salient.looked_at(setting(0.1), numbers, groups),
        salient.looked_at(setting(groups=1), numbers, groups),
        salient.looked_at(setting(), numbers, groups[::-1].copy()),
    ]
    assert len(set(digests)) == 4


def test_donors_and_masks_are_looked_at() -> None:
    numbers = [0, 1]
    groups = np.array([0, 1])
    usual = setting()
    donors: Any = load_occluder("patches(fill=donor)")
    assert len(donors.looked_at(usual, numbers, groups)) == 32
    regions: Any = load_occluder("regions")
    digest = regions.looked_at(usual, numbers, groups)

    class OtherMasks:
        def masks(self, index: int) -> Any:
            masks = dict(usual.dataset.masks(index))  # type: ignore[attr-defined]
            if index != 1:
                return masks
            return {name: ~mask for name, mask in masks.items()}

        def __getattr__(self, name: str) -> Any:
            return getattr(usual.dataset, name)

    changed = replace(usual, dataset=OtherMasks())
    assert regions.looked_at(changed, numbers, groups) != digest
    assert regions.looked_at(usual, numbers, groups) == digest
