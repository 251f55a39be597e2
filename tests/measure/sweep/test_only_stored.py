"""Runs that encode nothing: everything comes from the store, of kinds of device that are
named.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.core.cases import CLEAN
from pytest_retrieval_robust.core.errors import ConfigError, NotStoredError
from pytest_retrieval_robust.core.progress import Counter
from pytest_retrieval_robust.measure.embeddings import identity, keys
from pytest_retrieval_robust.measure.embeddings.identity import ModelIdentity
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep import lane
from pytest_retrieval_robust.measure.sweep.gathered import Gathered
from pytest_retrieval_robust.measure.sweep.local import LocalSweep
from pytest_retrieval_robust.measure.sweep.only_stored import stored_engine
from pytest_retrieval_robust.measure.sweep.plan import SweepPlan
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, plan_sweep
from pytest_retrieval_robust.measure.sweep.spill import Spill
from pytest_retrieval_robust.models import DualEncoder
from pytest_retrieval_robust.run.session.hardware_note import hardware_note

from .test_stored_sweep import (
    CELLS,
    IMAGES,
    SIZE,
    Counting,
    measured,
    same,
    sweep,
    table_of,
)

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


class Kinds:
    """Which kind of device the processor is taken for."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = "cpu"
        monkeypatch.setattr(keys, "device_kind", lambda _: self.now)
        monkeypatch.setattr(lane, "hardware_name", lambda _: self.now)


@pytest.fixture
def kinds(monkeypatch: pytest.MonkeyPatch) -> Kinds:
    return Kinds(monkeypatch)


def plan_of(encoder: DualEncoder) -> SweepPlan:
    dataset = load_dataset("synthetic-cxr", pairs=IMAGES)
    options = SweepOptions(batch_size=SIZE)
    return plan_sweep(encoder, pairs_of(dataset), CELLS, (1, 5), options)


def encode(encoder: DualEncoder, store: EmbeddingStore, numbers: Sequence[int]) -> None:
    """Some batches, and all reports."""
    plan = plan_of(encoder)
    local = LocalSweep(plan, store)
    progress = Counter("model", "data", 1, None)
    gathered = Gathered(plan.cells, Spill(), progress)
    batches = [plan.batches[number] for number in numbers]
    local.gather(local.gallery(), gathered, batches)
    assert sorted(batch.number for batch in gathered.batches) == sorted(numbers)


def stored(encoder: DualEncoder, folder: Path, *kinds: str) -> Any:
    return sweep(encoder, EmbeddingStore(folder), engine=stored_engine(kinds))


def test_everything_comes_from_the_store(encoder: DualEncoder, tmp_path: Path) -> None:
    expected = sweep(encoder, EmbeddingStore(tmp_path))
    counting = Counting(encoder)
    before = sweep(counting, EmbeddingStore(tmp_path / "counted"))
    keys.model_identity(counting, "fp32")
    images = counting.images
    from_store = stored(counting, tmp_path / "counted")
    # The fixed pictures of the model's identity, and no image of the data.
    assert counting.images == images + keys._ENCODED_PICTURES
    assert same(from_store, before)
    assert same(stored(encoder, tmp_path), expected)
    timings = [cell.timing for cell in measured(from_store).values()]
    assert {timing.from_store for timing in timings} == {IMAGES}
    assert {timing.images_per_second for timing in timings} == {None}
    # What encoded is known, not what ranked.
    [hardware] = {tuple(timing.encoded_on.items()) for timing in timings}
    assert [count for _, count in hardware] == [IMAGES]


def test_what_another_kind_of_device_encoded_is_taken(
    encoder: DualEncoder, tmp_path: Path, kinds: Kinds
) -> None:
    kinds.now = "NVIDIA A"
    expected = sweep(encoder, EmbeddingStore(tmp_path))
    kinds.now = "cpu"
    assert same(stored(encoder, tmp_path), expected)
    # Without the engine the two are never mixed.
    counting = Counting(encoder)
    local = sweep(counting, EmbeddingStore(tmp_path))
    assert {cell.timing.from_store for cell in measured(local).values()} == {0}


def test_kinds_of_device_are_mixed_only_if_asked_for(
    encoder: DualEncoder, tmp_path: Path, kinds: Kinds
) -> None:
    store = EmbeddingStore(tmp_path)
    kinds.now = "NVIDIA A"
    encode(encoder, store, [0, 2])
    kinds.now = "NVIDIA B"
    encode(encoder, store, [0, 1])
    kinds.now = "cpu"
    with pytest.raises(ConfigError, match="one kind of device.*got NVIDIA A, NVIDIA B"):
        stored(encoder, tmp_path)
    with pytest.raises(ConfigError, match=r"\(NVIDIA A, NVIDIA B\), got.*'NVIDIA C'"):
        stored(encoder, tmp_path, "NVIDIA C")
    of_a = stored(encoder, tmp_path, "NVIDIA A").cells
    assert {type(cell) for cell in of_a.values()} == {NotStoredError}
    assert "missing=1 of 3 batches" in str(of_a[CLEAN])
    mixed = sweep(encoder, None)
    assert same(stored(encoder, tmp_path, "NVIDIA B", "NVIDIA A"), mixed)
    of_any = stored(encoder, tmp_path, "any")
    assert same(of_any, mixed)
    # Three batches of 8, 8 and 4 images, of which A has two.
    for cell in measured(of_any).values():
        assert cell.timing.encoded_on == {"NVIDIA A": 12, "NVIDIA B": 8}
    note = hardware_note("m", "d", of_any)
    assert note is not None
    assert "NVIDIA A (36), NVIDIA B (24) images" in note
    assert hardware_note("m", "d", mixed) is None


def test_a_store_without_the_reports_says_how_many_lack(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    store = EmbeddingStore(tmp_path)
    encode(encoder, store, [0])
    with pytest.raises(NotStoredError, match=r"of \d+ reports.*missing=\d+ of \d+"):
        sweep(encoder, store, size=SIZE - 1, engine=stored_engine())


def test_embeddings_of_another_version_are_named(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(NotStoredError, match="embeddings of tiny-cxr-clip.*got none"):
        stored(encoder, tmp_path)
    libraries = keys.library_versions()
    with monkeypatch.context() as patch:
        patch.setattr(keys, "library_versions", lambda: {**libraries, "torch": "1.0"})
        sweep(encoder, EmbeddingStore(tmp_path))
    with pytest.raises(NotStoredError, match=r"only \(torch 1\.0, not [\d.]+\S*\)\."):
        stored(encoder, tmp_path)


def test_libraries_of_a_device_need_not_be_here(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = keys.library_versions()
    of_gpu = {**libraries, "cuda": "99.1", "nvidia-cublas": "99.2"}
    with monkeypatch.context() as patch:
        patch.setattr(keys, "library_versions", lambda: of_gpu)
        expected = sweep(encoder, EmbeddingStore(tmp_path))
    assert same(stored(encoder, tmp_path), expected)


@pytest.mark.parametrize("broken", [[3], list(range(SIZE))])
def test_broken_images_are_left_out_alike(
    encoder: DualEncoder, tmp_path: Path, broken: list[int]
) -> None:
    (tmp_path / "data").mkdir()
    dataset = table_of(tmp_path / "data", most_skipped=0.5)
    for number in broken:
        (tmp_path / "data" / f"{number}.png").write_bytes(b"\x89PNG broken")
    store = tmp_path / "store"
    expected = sweep(encoder, EmbeddingStore(store), dataset)
    result = sweep(encoder, EmbeddingStore(store), dataset, engine=stored_engine())
    assert same(result, expected)
    assert result.dataset["skipped"] == len(broken)


def test_two_set_ups_of_one_kind_of_device_are_not_mixed(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = EmbeddingStore(tmp_path)
    libraries = keys.library_versions()
    for version, numbers in (("1", [0, 1]), ("2", [2])):
        of_device = {**libraries, "cuda": version}
        with monkeypatch.context() as patch:
            patch.setattr(
                keys, "library_versions", lambda of_device=of_device: of_device
            )
            encode(encoder, store, numbers)
    cells = stored(encoder, tmp_path).cells
    assert {type(cell) for cell in cells.values()} == {NotStoredError}
    assert same(stored(encoder, tmp_path, "any"), sweep(encoder, None))


def test_another_build_of_torch_is_the_same_version(
    encoder: DualEncoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = keys.library_versions()
    torch_version = str(libraries["torch"]).partition("+")[0]
    with monkeypatch.context() as patch:
        built = {**libraries, "torch": f"{torch_version}+cu999"}
        patch.setattr(keys, "library_versions", lambda: built)
        expected = sweep(encoder, EmbeddingStore(tmp_path))
    assert same(stored(encoder, tmp_path), expected)


@pytest.mark.parametrize(
    "declared",
    [b"no JSON", b"[]", b"{}", b'{"card": {}, "device": 1, "libraries": {}}'],
)
def test_a_note_of_another_version_is_left_out(
    encoder: DualEncoder, tmp_path: Path, declared: bytes
) -> None:
    store = EmbeddingStore(tmp_path)
    own = keys.model_identity(encoder, "fp32")
    assert own is not None
    odd = {
        "prepared": np.zeros(1, dtype=np.uint8),
        "code": np.zeros(1, dtype=np.uint8),
        "declared": np.frombuffer(declared, dtype=np.uint8),
    }
    EmbeddingStore(tmp_path / identity.IDENTITIES / own.family).save("ab12", odd, {})
    assert identity.kept_identities(store, own) == []
    with pytest.raises(NotStoredError, match="got none"):
        stored(encoder, tmp_path)


def test_a_note_that_could_not_be_written_comes_with_the_next_look(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    (tmp_path / identity.IDENTITIES).write_text("no folder")
    expected = sweep(encoder, EmbeddingStore(tmp_path))
    (tmp_path / identity.IDENTITIES).unlink()
    assert same(sweep(encoder, EmbeddingStore(tmp_path)), expected)
    assert same(stored(encoder, tmp_path), expected)


def test_a_store_is_needed(encoder: DualEncoder) -> None:
    with pytest.raises(ConfigError, match="--robust-no-cache"):
        sweep(encoder, None, engine=stored_engine())


def identity_of(rows: float, **declared: Any) -> ModelIdentity:
    usual = {"card": {}, "precision": "fp32", "device": "cpu", "libraries": {}}
    made = {"sentences": np.full((2, 4), 0.5, dtype=np.float32) + np.float32(rows)}
    return ModelIdentity({**usual, **declared}, b"prepared", made, b"code")


@pytest.mark.parametrize(
    ("precision", "difference", "agrees"),
    [
        ("fp32", 1e-6, True),
        ("fp32", 3e-3, False),
        ("bf16", 3e-3, True),
        ("bf16", 0.1, False),
    ],
)
def test_rows_of_two_devices_may_differ_by_rounding_alone(
    precision: str, difference: float, agrees: bool
) -> None:
    first = identity_of(0.0, precision=precision)
    second = identity_of(difference, precision=precision)
    assert first.agrees_with(second) is agrees
    assert second.agrees_with(first) is agrees


def test_another_tokenizer_is_not_taken_for_rounding(tmp_path: Path) -> None:
    store = EmbeddingStore(tmp_path)
    identity.keep_identity(store, identity_of(0.2, device="NVIDIA A"))
    identity.keep_identity(store, identity_of(1e-7, device="NVIDIA B"))
    kept = identity.kept_identities(store, identity_of(0.0))
    assert [each.device for each in kept] == ["NVIDIA B"]
    assert kept == [identity_of(1e-7, device="NVIDIA B")]
