"""Where encoders that others wrote are called: memory of either side is its own, and
what fails is one sentence.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust import encoder_from_callables, evaluate, load_occluder
from pytest_retrieval_robust.core.calling import encode_images, encode_reports
from pytest_retrieval_robust.core.cases import Case, Cell
from pytest_retrieval_robust.core.errors import (
    EmbeddingError,
    ModelError,
    RankingError,
    RobustError,
)
from pytest_retrieval_robust.core.memory import (
    Limits,
    in_pieces,
    is_out_of_memory,
    limits_of,
)
from pytest_retrieval_robust.core.rows import rows_of
from pytest_retrieval_robust.measure.batches import first_images
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep import scores as scoring
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepResult, run_sweep
from pytest_retrieval_robust.measure.timing.rounds import (
    measure_alone,
    prepare_batch,
    rounds_beside,
    timed_rounds,
)
from pytest_retrieval_robust.models import ModelCard
from pytest_retrieval_robust.retrieval.ranking import positive_ranks_both

from ..encoders import ALL, Arrays, Mutating, OneBuffer, OnePicture
from ..measure.sweep.test_sweep import RECORDS, Pixels, Records, noisy_model

OCCLUDERS = (
    "patches",
    "patches(fill=donor)",
    "box(fill=mean)",
    "salient(grid=4)",
    "lines",
)
METHODS = ("encode_images", "encode_reports", "prepare")
CELLS = [
    (Cell(name, level, 0), load_occluder(name))
    for name in OCCLUDERS
    for level in (0.2, 0.5)
]


class Rows(dict[str, NDArray[np.float32]]):
    """A row for every text: a model that is to be known again is asked about texts that
    are not in the data.
    """

    def __missing__(self, text: str) -> NDArray[np.float32]:
        return np.random.default_rng(len(text)).normal(size=257).astype(np.float32)


def encoder_of(kind: type[Pixels], **changes: Any) -> Pixels:
    return kind(Rows(noisy_model(RECORDS).rows), **changes)


def ranks(result: SweepResult) -> dict[Cell, bytes]:
    found = {}
    for cell, measured in result.cells.items():
        assert isinstance(measured, Measured), measured
        found[cell] = measured.image_ranks.tobytes() + measured.report_ranks.tobytes()
    return found


@pytest.fixture(scope="module")
def honest() -> dict[Cell, bytes]:
    return ranks(run_sweep(encoder_of(Pixels), pairs_of(RECORDS), CELLS, (1,)))


@pytest.mark.parametrize("kind", [*ALL, OnePicture])
@pytest.mark.parametrize("batch_size", [7, 64])
def test_an_encoder_that_treats_memory_as_its_own_ranks_as_an_honest_one(
    kind: type[Pixels],
    batch_size: int,
    honest: dict[Cell, bytes],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if kind is OnePicture:  # not safe to call from several threads, which is asked for
        monkeypatch.setattr("pytest_retrieval_robust.measure.sweep.feed.DECODERS", 1)
    result = run_sweep(
        encoder_of(kind), pairs_of(RECORDS), CELLS, (1,), batch_size=batch_size
    )
    assert ranks(result) == honest


@pytest.mark.parametrize("kind", ALL)
def test_several_lanes_and_a_store_change_nothing_about_it(
    kind: type[Pixels], honest: dict[Cell, bytes], tmp_path: Path
) -> None:
    card = ModelCard("test", sha256="ab")
    models = [encoder_of(kind, card=card) for _ in range(3)]
    store = EmbeddingStore(tmp_path)
    two = run_sweep(
        models[0],
        pairs_of(RECORDS),
        CELLS,
        (1,),
        batch_size=4,
        store=store,
        copies=lambda: models[1:2],
    )
    again = run_sweep(
        models[2], pairs_of(RECORDS), CELLS, (1,), batch_size=4, store=store
    )
    assert ranks(two) == ranks(again) == honest
    assert all(
        one.timing.from_store == 30
        for one in again.cells.values()
        if isinstance(one, Measured)
    )


class Shared(Records):
    """Gives the same object for an image each time."""

    def image(self, index: int) -> Image.Image:
        kept: dict[int, Image.Image] = self.__dict__.setdefault("kept", {})
        return kept.setdefault(index, super().image(index))


def test_a_model_that_changes_an_image_does_not_change_the_data_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pytest_retrieval_robust.measure.sweep.feed.DECODERS", 1)
    dataset = Shared(RECORDS.texts, RECORDS.reports)
    found = [
        ranks(run_sweep(encoder_of(OnePicture), pairs_of(dataset), [], (1,)))
        for _ in range(2)
    ]
    assert (
        found[0]
        == found[1]
        == ranks(run_sweep(encoder_of(Pixels), pairs_of(dataset), [], (1,)))
    )


@pytest.mark.parametrize("kind", ALL)
def test_searches_find_the_same_by_it(kind: type[Pixels]) -> None:
    searched = [
        find_breaking(encoder_of(one), RECORDS, k=3, grid=4, images=9)
        for one in (Pixels, kind)
    ]
    for name in (
        "numbers",
        "masks",
        "shares",
        "ranks_before",
        "ranks_after",
        "falls",
        "encodings",
    ):
        assert (
            getattr(searched[0], name).tobytes() == getattr(searched[1], name).tobytes()
        )
    maps = [
        sensitivity_map(encoder_of(one), RECORDS, grid=4, images=9)
        for one in (Pixels, kind)
    ]
    assert maps[0] == maps[1]


def test_what_is_timed_sees_the_same_pixels_at_each_call() -> None:
    class Watching(Mutating):
        def encode_images(self, pixels: Tensor) -> Tensor:
            seen.append(pixels.sum().item())
            return super().encode_images(pixels)

    model, other = encoder_of(Watching), encoder_of(Watching)
    batch = prepare_batch(model, RECORDS, 5)
    before = batch.pixels.clone()
    case = Case("pixels", "records", "patches", 0.3, 0)
    seen: list[float] = []
    patches = load_occluder("patches")
    for rounds in (
        timed_rounds(model, batch, patches, case),
        rounds_beside(other, model, RECORDS, batch),
    ):
        seen.clear()
        rounds.warm_up()
        rounds.measure(3)
        assert len(set(seen[::2])) == len(set(seen[1::2])) == 1
    measure_alone(model, batch, 4)
    assert torch.equal(batch.pixels, before)


def test_half_precisions_effect_is_measured_on_what_was_read() -> None:
    scene, _ = first_images(encoder_of(Pixels), RECORDS, 8)
    assert float(scene.pixels.amax()) > 0
    effect = precision_effect(encoder_of(Mutating), encoder_of(Arrays), RECORDS)
    assert (
        effect["images"]["largest_difference"]
        == effect["reports"]["largest_difference"]
        == 0.0
    )


def test_callables_may_change_what_they_are_given() -> None:
    rows = noisy_model(RECORDS)

    def images(pixels: Any) -> Any:
        found = rows.encode_images(torch.from_numpy(pixels)).clone()
        pixels *= 0
        return found

    def reports(texts: list[str]) -> Any:
        return rows.encode_reports(texts)

    def prepared(image: Image.Image) -> Any:
        return rows.prepare(image)

    model = encoder_from_callables("mine", images, reports, size=16, prepare=prepared)
    expected = evaluate(
        noisy_model(RECORDS),
        RECORDS,
        load_occluder("patches"),
        levels=(0.2, 0.4),
        ks=(1, 5),
    )
    got = evaluate(
        model, RECORDS, load_occluder("patches"), levels=(0.2, 0.4), ks=(1, 5)
    )
    assert got.recall(1) == expected.recall(1)
    assert got.recall(5) == expected.recall(5)


# What an encoder returns


class Output(dict):  # type: ignore[type-arg]
    """What transformers return."""


ROWS = torch.nn.functional.normalize(torch.ones(2, 3), dim=1)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (None, "got None. Let the method return its rows."),
        ([[1.0, 0.0], [0.0, 1.0]], "got a list of 2. Make one tensor"),
        ((ROWS, ROWS), "got a tuple of 2. Return the one of its parts"),
        (Output(image_embeds=ROWS), "got a Output. Return the tensor within it"),
        (np.ones((2, 3), dtype=np.int64), "an array of dtype=int64"),
        (np.ones((2, 3), dtype=np.complex64), "an array of dtype=complex64"),
        (np.array([None, None]), "an array of dtype=object"),
        (torch.ones(2, 5, 3), r"shape=\(2, 5, 3\). These look like a row per token"),
        (torch.ones(3), r"shape=\(3,\). Return one row for each input"),
        (torch.ones(1, 3), r"shape=\(1, 3\)"),
        (torch.ones(2, 0), r"shape=\(2, 0\)"),
        (torch.ones(2, 3, dtype=torch.complex64), "imaginary part"),
        (torch.ones(2, 3, dtype=torch.int64), "dtype=torch.int64"),
        (torch.ones(2, 3, dtype=torch.bool), "dtype=torch.bool"),
        (torch.ones(2, 3, device="meta"), "holds no numbers"),
        (ROWS.to_sparse(), "sparse or nested"),
        ("rows", "got a str"),
        (3.0, "got a float"),
    ],
)
@pytest.mark.parametrize("method", ["encode_images", "encode_reports"])
def test_what_is_no_rows_is_refused_in_a_sentence(
    given: Any, said: str, method: str
) -> None:
    model = encoder_of(Pixels)
    setattr(model, method, lambda _: given)
    asks: dict[str, Callable[[], object]] = {
        "encode_images": lambda: encode_images(model, torch.zeros(2, 3, 4, 4)),
        "encode_reports": lambda: encode_reports(model, ["report 0", "report 1"]),
    }
    with pytest.raises(EmbeddingError, match=said) as caught:
        asks[method]()
    assert str(caught.value).startswith(
        f"Expected embeddings of shape (2, D) from {method} of pixels, got"
    )
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "given",
    [
        ROWS.double(),
        ROWS.half(),
        ROWS.clone().requires_grad_(),
        ROWS[:1].expand(2, 3),
        ROWS.T.contiguous().T,
        ROWS.numpy().astype(">f4"),
        ROWS.numpy()[::-1],
        ROWS.numpy().astype(np.float16),
    ],
)
def test_rows_of_other_forms_are_copied_as_float32(given: Any) -> None:
    found = rows_of(given, 2, "m", "encode_images", "cpu")
    assert found.dtype == torch.float32
    assert found.is_contiguous()
    assert not found.requires_grad
    assert torch.allclose(found, ROWS, atol=1e-3)
    if isinstance(given, Tensor):
        assert found.data_ptr() != given.data_ptr()


@pytest.mark.parametrize(
    "error",
    [SystemExit("patient Doe"), KeyError("patient Doe"), ModelError("ours, patient 3")],
)
def test_what_an_encoder_raises_is_its_own_error_without_a_text(
    error: BaseException,
) -> None:
    def fail(_: Any) -> Tensor:
        raise error

    def swept(model: Pixels) -> Any:
        return next(iter(run_sweep(model, pairs_of(RECORDS), [], (1,)).cells.values()))

    def searched(model: Pixels) -> Any:
        return find_breaking(model, RECORDS, k=3, grid=4, images=2)

    for method, run in [
        ("encode_images", searched),
        *((name, swept) for name in METHODS),
    ]:
        model = encoder_of(Pixels)
        setattr(model, method, fail)
        try:
            found: Any = run(model)
        except RobustError as caught:
            found = caught
        assert isinstance(found, ModelError)
        assert found.__cause__ is found.__context__ is None
        if not isinstance(error, RobustError):
            assert "Doe" not in str(found)
            assert f"got {type(error).__name__} at tests/core/test_calling.py" in str(
                found
            )


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        (lambda *_: None, "got a NoneType"),
        (lambda q, g: (q @ g.T).tolist(), "got a list"),
        (lambda q, g: (q @ g.T)[:, :1], "of shape"),
        (lambda q, g: (q @ g.T).to(torch.complex64), "real scores"),
        (lambda *_: 1 / 0, "got ZeroDivisionError at tests/core/test_calling.py"),
    ],
)
def test_a_scorer_of_ones_own_that_breaks_is_one_sentence(
    scores: Callable[..., Any], said: str
) -> None:
    model: Any = encoder_of(Pixels)
    model.similarity = scores
    with pytest.raises(RankingError, match=said):
        evaluate(model, RECORDS, load_occluder("patches"), levels=(), ks=(1,))


def test_a_scorer_may_change_what_it_is_given() -> None:
    def scores(queries: Tensor, gallery: Tensor) -> Tensor:
        found = queries @ gallery.T
        queries.zero_()
        gallery.zero_()
        return found

    model: Any = encoder_of(Pixels)
    model.similarity = scores
    expected = evaluate(
        encoder_of(Pixels), RECORDS, load_occluder("patches"), levels=(0.3,), ks=(1,)
    )
    assert evaluate(
        model, RECORDS, load_occluder("patches"), levels=(0.3,), ks=(1,)
    ).recall(1) == expected.recall(1)


# Memory that runs out


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
        torch.AcceleratorError("CUDA error: out of memory"),
        RuntimeError(
            "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"
        ),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        RuntimeError(
            "cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"
        ),
        RuntimeError("MPS backend out of memory (MPS allocated: 9 GB)"),
        RuntimeError(
            "[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate"
            " memory: you tried to"
        ),
        RuntimeError("HIP out of memory"),
        MemoryError(),
        Exception("RESOURCE_EXHAUSTED: Out of memory while trying to allocate 1 bytes"),
    ],
    ids=lambda error: str(error)[:40],
)
def test_memory_that_runs_out_in_any_way_halves_what_is_encoded(
    error: Exception,
) -> None:
    class Small(Pixels):
        failures = 0

        def _check(self, count: int) -> None:
            if count > 3:
                Small.failures += 1
                raise error

        def encode_images(self, pixels: Tensor) -> Tensor:
            self._check(len(pixels))
            pixels = pixels.clone()
            return super().encode_images(pixels)

        def encode_reports(self, texts: Any) -> Tensor:
            self._check(len(texts))
            return super().encode_reports(texts)

    assert is_out_of_memory(error)
    model = encoder_of(Small)
    result = run_sweep(model, pairs_of(RECORDS), CELLS, (1,))
    assert ranks(result) == ranks(
        run_sweep(encoder_of(Pixels), pairs_of(RECORDS), CELLS, (1,))
    )
    in_the_sweep = Small.failures
    assert in_the_sweep <= 2 * 4  # 30, 15, 7, and then 3 images, and reports, at a time
    find_breaking(model, RECORDS, k=3, grid=4, images=9)
    assert Small.failures == in_the_sweep  # what fitted is known to the search too


def test_an_error_that_wraps_one_of_memory_is_one_and_others_are_not() -> None:
    wrapped = ValueError("my encoder failed")
    wrapped.__cause__ = torch.OutOfMemoryError("CUDA out of memory")
    assert is_out_of_memory(wrapped)
    assert not is_out_of_memory(ValueError("a size of 3 was expected"))
    assert not is_out_of_memory(
        RuntimeError("CUDA error: device-side assert triggered")
    )


def test_the_parts_cover_all_once_whatever_fits() -> None:
    for fits in (1, 2, 3, 5, 64):
        limits = Limits()

        def work(part: slice, fits: int = fits) -> list[int]:
            if part.stop - part.start > fits:
                raise MemoryError
            return list(range(100)[part])

        found = list(in_pieces(17, limits, "images", work, "cpu"))
        assert [number for part in found for number in part] == list(range(17))
        assert limits.images is None if fits >= 17 else 0 < (limits.images or 0) <= fits


def test_an_error_that_no_size_avoids_leaves_the_size_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model, failing = encoder_of(Pixels), encoder_of(Pixels)

    def fail(_: Tensor) -> Tensor:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(failing, "encode_images", fail)
    with pytest.raises(ModelError, match="Memory of cpu ran out"):
        encode_images(failing, torch.zeros(4, 3, 16, 16))
    assert limits_of(failing) == limits_of(model) == Limits()


def test_pieces_that_memory_forced_are_not_stored_as_a_whole(tmp_path: Path) -> None:
    class Once(Pixels):
        """Runs out of memory at first; pieces of another size round otherwise."""

        room = 64

        def encode_images(self, pixels: Tensor) -> Tensor:
            if len(pixels) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return torch.nn.functional.normalize(
                super().encode_images(pixels) + 1e-4 * len(pixels), dim=1
            )

        def encode_reports(self, texts: Any) -> Tensor:
            if len(texts) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return torch.nn.functional.normalize(
                super().encode_reports(texts) + 1e-4 * len(texts), dim=1
            )

    card = ModelCard("test", sha256="ab")
    undisturbed = run_sweep(encoder_of(Once, card=card), pairs_of(RECORDS), CELLS, (1,))
    disturbed = encoder_of(Once, card=card)
    disturbed.room = 5  # type: ignore[attr-defined]
    store = EmbeddingStore(tmp_path)
    run_sweep(disturbed, pairs_of(RECORDS), CELLS, (1,), store=store)
    resumed = run_sweep(
        encoder_of(Once, card=card), pairs_of(RECORDS), CELLS, (1,), store=store
    )
    warm = run_sweep(
        encoder_of(Once, card=card), pairs_of(RECORDS), CELLS, (1,), store=store
    )
    assert ranks(resumed) == ranks(warm) == ranks(undisturbed)
    assert all(
        one.timing.from_store == 30
        for one in warm.cells.values()
        if isinstance(one, Measured)
    )


def test_memory_that_runs_out_while_ranks_are_counted_takes_smaller_tiles(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tiles: list[int] = []
    real = positive_ranks_both

    def limited(*rows: Any, tile: int, **options: Any) -> Any:
        tiles.append(tile)
        if tile > 100:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(*rows, tile=tile, **options)

    monkeypatch.setattr(scoring, "positive_ranks_both", limited)

    class Scoring(Pixels):
        def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
            return queries @ gallery.T

    model = encoder_of(Scoring)
    model.device = "cpu:0"
    result = run_sweep(model, pairs_of(RECORDS), CELLS[:2], (1,))
    assert tiles == [1024, 256, 64, 64, 64]
    monkeypatch.undo()
    assert ranks(result) == ranks(
        run_sweep(encoder_of(Scoring), pairs_of(RECORDS), CELLS[:2], (1,))
    )


# What an error holds


class Heavy(Pixels):
    """Fails with large things in its frames, and tells of each by a weak reference."""

    watched: list[weakref.ref[Any]]

    def fail(self, given: Any) -> Any:
        activations = torch.zeros(10)
        self.watched += [weakref.ref(activations)]
        if isinstance(given, Tensor):
            self.watched.append(weakref.ref(given))
        raise ValueError(f"patient Doe {activations}")


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("search", [False, True])
def test_the_error_of_a_failed_measurement_holds_no_memory(
    method: str, search: bool
) -> None:
    model = encoder_of(Heavy)
    model.watched = []  # type: ignore[attr-defined]
    watched = model.watched  # type: ignore[attr-defined]
    watched.append(weakref.ref(model))
    setattr(model, method, model.fail)  # type: ignore[attr-defined]
    kept: list[Any] = []
    try:
        if search:
            kept.append(find_breaking(model, RECORDS, k=3, grid=4, images=2))
        else:
            kept.append(run_sweep(model, pairs_of(RECORDS), CELLS, (1,)))
    except RobustError as error:
        kept.append(error.with_traceback(None))
    del model
    gc.collect()
    assert len(watched) > 1
    assert [one() for one in watched] == [None] * len(watched)
    assert len(kept) == 1


def test_an_occluder_that_breaks_is_its_cells_error_alone() -> None:
    patches = load_occluder("patches")

    class Breaking:
        name = "breaking"

        def bind(self, scene: Any) -> Any:  # noqa: ARG002
            raise KeyError("patient Doe")

        def __getattr__(self, name: str) -> Any:
            return getattr(patches, name)

    cell: Any = Cell("breaking", 0.3, 0)
    result = run_sweep(
        encoder_of(OneBuffer), pairs_of(RECORDS), [(cell, Breaking()), *CELLS[:2]], (1,)
    )
    error = result.cells.pop(cell)
    assert isinstance(error, RobustError)
    assert (
        "Expected breaking to be measured with pixels on cpu, got KeyError at"
        " tests/core/test_calling.py" in str(error)
    )
    assert "Doe" not in str(error)
    assert len(ranks(result)) == 3


@pytest.mark.parametrize(
    "given", [None, np.zeros((4, 4)), Image.new("L", (0, 3)), "file.png"]
)
def test_an_image_that_is_none_is_refused_in_a_sentence(given: Any) -> None:
    class Odd(Records):
        def image(self, index: int) -> Any:
            return given if index == 3 else super().image(index)

    with pytest.raises(
        RobustError,
        match="Expected image.. of records to give a PIL image with pixels, got",
    ):
        run_sweep(
            encoder_of(Pixels), pairs_of(Odd(RECORDS.texts, RECORDS.reports)), [], (1,)
        )
