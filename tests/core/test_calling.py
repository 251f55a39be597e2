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
from PIL import Image
from torch import Tensor

from pytest_retrieval_robust import encoder_from_callables, evaluate, load_occluder
from pytest_retrieval_robust.core.cases import Case, Cell
from pytest_retrieval_robust.core.errors import (
    ModelError,
    RankingError,
    RobustError,
)
from pytest_retrieval_robust.measure.batches import first_images
from pytest_retrieval_robust.measure.breaking import find_breaking
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.half_precision import precision_effect
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sensitivity import sensitivity_map
from pytest_retrieval_robust.measure.sweep.run import Measured, SweepOptions, run_sweep
from pytest_retrieval_robust.measure.timing.rounds import (
    measure_alone,
    prepare_batch,
    rounds_beside,
    timed_rounds,
)
from pytest_retrieval_robust.models import ModelCard

from ..encoders import ALL, Arrays, Mutating, OneBuffer, OnePicture
from ..measure.sweep.test_sweep import RECORDS, Pixels, Records, noisy_model
from .sweeps import CELLS, METHODS, encoder_of, ranks


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
        encoder_of(kind),
        pairs_of(RECORDS),
        CELLS,
        (1,),
        SweepOptions(batch_size=batch_size),
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
        SweepOptions(batch_size=8, store=store, copies=lambda: models[1:2]),
    )
    again = run_sweep(
        models[2],
        pairs_of(RECORDS),
        CELLS,
        (1,),
        SweepOptions(batch_size=8, store=store),
    )
    assert ranks(two) == ranks(again) == honest
    # A cell of text noise encodes no image.
    assert all(
        one.timing.from_store == 30
        for cell, one in again.cells.items()
        if isinstance(one, Measured) and cell.family != "text-noise"
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
        image_rows = rows.encode_images(torch.from_numpy(pixels)).clone()
        pixels *= 0
        return image_rows

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


# What an encoder raises, and scorers


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
            failed: Any = run(model)
        except RobustError as caught:
            failed = caught
        assert isinstance(failed, ModelError)
        assert failed.__cause__ is failed.__context__ is None
        if not isinstance(error, RobustError):
            assert "Doe" not in str(failed)
            assert f"got {type(error).__name__} at tests/core/test_calling.py" in str(
                failed
            )


@pytest.mark.parametrize(
    ("scores", "sentence"),
    [
        (lambda *_: None, "got a NoneType"),
        (lambda q, g: (q @ g.T).tolist(), "got a list"),
        (lambda q, g: (q @ g.T)[:, :1], "of shape"),
        (lambda q, g: (q @ g.T).to(torch.complex64), "real scores"),
        (lambda *_: 1 / 0, "got ZeroDivisionError at tests/core/test_calling.py"),
    ],
)
def test_a_scorer_of_ones_own_that_breaks_is_one_sentence(
    scores: Callable[..., Any], sentence: str
) -> None:
    model: Any = encoder_of(Pixels)
    model.similarity = scores
    with pytest.raises(RankingError, match=sentence):
        evaluate(model, RECORDS, load_occluder("patches"), levels=(), ks=(1,))


def test_a_scorer_may_change_what_it_is_given() -> None:
    def scores(queries: Tensor, gallery: Tensor) -> Tensor:
        products = queries @ gallery.T
        queries.zero_()
        gallery.zero_()
        return products

    model: Any = encoder_of(Pixels)
    model.similarity = scores
    expected = evaluate(
        encoder_of(Pixels), RECORDS, load_occluder("patches"), levels=(0.3,), ks=(1,)
    )
    assert evaluate(
        model, RECORDS, load_occluder("patches"), levels=(0.3,), ks=(1,)
    ).recall(1) == expected.recall(1)


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
