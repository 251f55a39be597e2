"""Model-guided occluders: exact and nested like area occluders, in an order that the
model decides.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.errors import OcclusionError
from pytest_retrieval_robust.measure.batches import sampled_images, setting_of
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.occluders import WHOLE, Occluder
from pytest_retrieval_robust.occluders.area import AreaOccluder
from pytest_retrieval_robust.occluders.guided._probe import Answers, Probe, Search
from pytest_retrieval_robust.occluders.scene import Scene, Setting

GUIDED = ("salient", "non-salient", "worst")
SIDE, CELLS = 16, 4


@dataclass(frozen=True)
class Peeping:
    """Embeds the brightness of four quarters: an image that is bright in one has a
    report of its own.
    """

    name: str = "peeping"
    device: str = "cpu"

    def encode_images(self, pixels: Tensor) -> Tensor:
        half = SIDE // 2
        quarters = (
            pixels.mean(1)
            .unfold(1, half, half)
            .unfold(2, half, half)
            .mean((3, 4))
            .flatten(1)
        )
        return torch.nn.functional.normalize(quarters + 1e-3, dim=1)


def scene(ids: tuple[str, ...] = ("a", "b", "c", "d")) -> Scene:
    """Image i is bright in its quarter i alone, and dim elsewhere; report i asks for just that."""
    pixels = torch.full((4, 3, SIDE, SIDE), 0.1)
    for image in range(4):
        row, column = divmod(image, 2)
        pixels[image, :, row * 8 : row * 8 + 8, column * 8 : column * 8 + 8] = 1.0
    setting = Setting(Peeping(), None, torch.eye(4), np.arange(4))  # type: ignore[arg-type]
    return Scene(setting, range(4), ids, pixels, [WHOLE] * 4, np.arange(4))


def bound(name: str, **options: object) -> AreaOccluder:
    occluder = load_occluder(
        f"{name}(grid={CELLS}{''.join(f',{key}={value}' for key, value in options.items())})"
    )
    occluder_of_scene = occluder.bind(scene())
    assert isinstance(occluder_of_scene, AreaOccluder)
    return occluder_of_scene


@pytest.mark.parametrize("name", ["salient", "worst(k=1,grid=4)"])
def test_what_the_model_looks_at_is_hidden_first(name: str) -> None:
    occluder = load_occluder(name if "(" in name else f"{name}(grid={CELLS})").bind(
        scene()
    )
    for image in range(4):
        row, column = divmod(image, 2)
        mask = occluder.mask(["abcd"[image]], 0.25, 0, CELLS, WHOLE)[0, 0]
        assert mask[row * 2 : row * 2 + 2, column * 2 : column * 2 + 2].all()
        assert mask.sum() == 4


def test_what_the_model_looks_at_is_hidden_last() -> None:
    mask = bound("non-salient").mask(["a"], 0.75, 0, CELLS, WHOLE)[0, 0]
    assert not mask[:2, :2].any()


def test_non_salient_is_salient_read_backwards() -> None:
    ids = ["a", "b", "c", "d"]
    first, last = (
        bound(name).order(ids, 0, "cpu") for name in ("salient", "non-salient")
    )
    assert torch.equal(first + last, torch.full_like(first, CELLS**2 - 1))


@pytest.mark.parametrize("name", GUIDED)
def test_they_are_exact_nested_and_permutations(name: str) -> None:
    occluder = bound(name, **({"k": 1} if name == "worst" else {}))
    order = occluder.order(["c", "a"], 0, "cpu").flatten(1)
    assert torch.equal(order.sort(1).values, torch.arange(CELLS**2).expand(2, -1))
    for cells in range(CELLS**2 + 1):
        level = cells / CELLS**2
        assert occluder.mask(["c", "a"], level, 3, CELLS, WHOLE).sum(
            (1, 2, 3)
        ).tolist() == [cells, cells]
        assert occluder.shares(["c"], level, 0) == [level]


@pytest.mark.parametrize("name", GUIDED)
def test_unbound_they_say_what_to_do(name: str) -> None:
    with pytest.raises(OcclusionError, match=r"got it unbound.*bind\(scene\)"):
        load_occluder(name).mask(["a"], 0.5, 0, 8, WHOLE)


def test_images_of_another_batch_are_refused() -> None:
    with pytest.raises(OcclusionError, match="got 1 others of 2"):
        bound("salient").mask(["a", "z"], 0.5, 0, 8, WHOLE)


def test_two_models_of_one_batch_do_not_share_their_orders() -> None:
    class Blind(Peeping):
        def encode_images(self, pixels: Tensor) -> Tensor:
            return super().encode_images(pixels.flip(3))

    own = scene()
    setting = Setting(Blind(), None, torch.eye(4), np.arange(4))  # type: ignore[arg-type]
    mirrored = Scene(setting, own.numbers, own.ids, own.pixels, own.frames, own.groups)
    first, second = (
        load_occluder("salient(grid=4)").bind(batch) for batch in (own, mirrored)
    )
    masks = [
        occluder.mask(own.ids, 0.25, 0, CELLS, WHOLE) for occluder in (first, second)
    ]
    assert not torch.equal(*masks)


def test_a_k_without_as_many_wrong_reports_is_an_error() -> None:
    with pytest.raises(
        OcclusionError, match="at most the 3 wrong reports of a query, got k=10"
    ):
        load_occluder("worst(grid=4)").bind(scene())


def test_k_is_checked() -> None:
    with pytest.raises(Exception, match="got k=0"):
        load_occluder("worst(k=0)")


@pytest.fixture(scope="module")
def drawn() -> Scene:
    model = load_model("tiny-cxr-clip-robust", device="cpu")
    data = load_dataset("synthetic-cxr", pairs=40)
    pairs = pairs_of(data)
    return next(sampled_images(setting_of(model, pairs), model, pairs, 3))


def test_a_version_is_encoded_as_the_occluder_hides_it(drawn: Scene) -> None:
    """Against the public way: an occluder's own pixels, encoded one image at a time."""
    occluder = load_occluder("patches(grid=8)")
    hidden = occluder.mask(drawn.ids, 0.4, 1, 8, WHOLE).flatten(1).numpy()
    rows = Probe(drawn, 8, "black", 1).encode(np.arange(3), hidden)
    for image in range(3):
        pixels = occluder.occlude(
            drawn.pixels[image : image + 1],
            [drawn.ids[image]],
            0.4,
            1,
            drawn.frames[image],
        )
        assert torch.allclose(
            rows[image], drawn.setting.encoder.encode_images(pixels)[0], atol=1e-6
        )


def test_answers_are_the_scores_and_margins_of_a_naive_loop(drawn: Scene) -> None:
    hidden = np.random.default_rng(0).random((3, 64)) < 0.3
    probe = Probe(drawn, 8, "mean", 5)
    rows = probe.encode(np.arange(3), hidden).double()

    def ask_once(version: NDArray[np.bool_]) -> Search[Answers]:
        answers = yield version[None]
        return answers

    for image, answers in enumerate(
        probe.run([ask_once(version) for version in hidden])
    ):
        scores = (drawn.setting.reports.double() @ rows[image]).numpy()
        right = drawn.setting.report_groups == drawn.groups[image]
        assert answers.right[0] == pytest.approx(scores[right].max(), abs=1e-6)
        assert answers.margin[0] == pytest.approx(
            scores[right].max() - np.sort(scores[~right])[-5], abs=1e-6
        )


def test_the_worst_case_is_worse_than_chance_layouts(drawn: Scene) -> None:
    """The order that was searched lowers the right report's score further than random
    patches do.
    """
    worst = load_occluder("worst(grid=4,k=5)").bind(drawn)
    random = load_occluder("patches(grid=4)")
    right = torch.from_numpy(drawn.groups[:, None] == drawn.setting.report_groups)

    def margins(occluder: Occluder) -> Tensor:
        pixels = occluder.occlude(drawn.pixels, drawn.ids, 0.25, 0, drawn.frames)
        scores = drawn.setting.encoder.encode_images(pixels) @ drawn.setting.reports.T
        wrong = scores.masked_fill(right, -9).topk(5).values[:, -1]
        return scores.masked_fill(~right, -9).amax(1) - wrong

    assert (margins(worst) < margins(random)).all()
