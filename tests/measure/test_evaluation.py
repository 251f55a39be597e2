"""`evaluate` over several models, data sets, occluders and seeds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from pytest_retrieval_robust import (
    ArgumentError,
    Curve,
    Curves,
    DualEncoder,
    ModelError,
    RankingError,
    RobustError,
    UnknownNameError,
    encoder_from_callables,
    evaluate,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.measure import api, progress_bar

DATA = "synthetic-cxr(pairs=12)"
SMALL: dict[str, Any] = {"levels": (0.5,), "ks": (1,), "device": "cpu"}
WEIGHTS = np.random.default_rng(0).standard_normal((3, 8))
Pixels = NDArray[np.float32]


def embed_texts(texts: list[str]) -> NDArray[np.float64]:
    return np.array([np.cos(np.arange(8) + len(text)) for text in texts])


def means(pixels: Pixels) -> NDArray[np.float64]:
    rows: NDArray[np.float64] = pixels.mean(axis=(2, 3)) @ WEIGHTS + 1
    return rows


def encoder(name: str, embed: Any = means) -> DualEncoder:
    return encoder_from_callables(name, embed, embed_texts, size=16)


def broken(_: Pixels) -> Any:
    raise ValueError("Mr Doe")


def test_every_combination_has_the_numbers_that_it_has_alone() -> None:
    models = [encoder("first"), encoder("second", lambda pixels: -means(pixels))]
    datasets: list[Any] = [DATA, load_dataset("synthetic-cxr", pairs=10)]
    curves = evaluate(models, datasets, ("patches", "side"), seed=[0, 3], **SMALL)
    assert isinstance(curves, Curves)
    assert len(curves) == 2 * 2 * 2 * 2
    assert curves.failures == ()
    for curve in curves:
        case = curve.clean.case
        model = models[case.model == "second"]
        alone = evaluate(model, case.dataset, case.occluder, seed=case.seed, **SMALL)
        assert isinstance(alone, Curve)
        columns = curve.to_dict()
        assert columns == alone.to_dict()


def test_a_list_of_one_gives_curves() -> None:
    curves = evaluate([encoder("mine")], DATA, "patches", **SMALL)
    assert len(curves) == 1
    assert len(evaluate(encoder("mine"), iter([DATA]), "side", **SMALL)) == 1  # type: ignore[call-overload]


@pytest.mark.parametrize("seeds", [range(2), np.arange(2), torch.arange(2)], ids=repr)
def test_several_may_come_in_a_range_or_an_array(seeds: Any) -> None:
    model = encoder("mine")
    names: Any = np.array(["side", "patches"])
    curves = evaluate(model, [DATA], names, seed=seeds, **SMALL)
    assert (curves.seeds, curves.occluders) == ((0, 1), ("side", "patches"))
    # One item of an array is one.
    seed = seeds[1]
    assert isinstance(evaluate(model, DATA, names[0], seed=seed, **SMALL), Curve)


@pytest.mark.parametrize(
    "seed", [np.arange(2.0), np.array(1.0), np.zeros((2, 2), int), "a"], ids=repr
)
def test_what_holds_no_seeds_is_refused(seed: Any) -> None:
    with pytest.raises(ArgumentError, match=r"got seed=.*one, or a list of these"):
        evaluate(encoder("mine"), DATA, "side", seed=seed, **SMALL)


def test_what_fails_leaves_the_others_untouched() -> None:
    models: list[Any] = [
        encoder("broken", broken),
        encoder("whole"),
        "local-dir:/nowhere/Doe",
    ]
    with pytest.warns(UserWarning, match=": Expected ") as warned:
        curves = evaluate(models, DATA, ["patches", "side"], **SMALL)
    assert curves.models == ("whole",)
    assert len(curves) == 2
    assert len(curves.failures) == len(warned) == 3
    assert curves.failures[0].startswith(f"broken on {DATA}, patches, seed 0: Expected")
    assert curves.failures[2].startswith("local-dir-Doe: Expected a folder")
    assert not any("Mr Doe" in failure for failure in curves.failures)
    assert "/nowhere" not in str(curves)


class Wrapped:
    """A model, a data set or an occluder, one member of which raises."""

    def __init__(self, whole: Any, broken: str = "") -> None:
        self._whole = whole
        self._broken = broken

    def __getattr__(self, name: str) -> Any:
        if name == self._broken:
            raise KeyError("John Smith")
        return getattr(self._whole, name)


class Counts(Wrapped):
    def token_lengths(self, _: object) -> Any:
        raise KeyError("John Smith")


def test_errors_that_nobody_expected_leave_the_others_untouched_too() -> None:
    models: list[Any] = [
        encoder("first"),
        Counts(encoder("counts")),
        Wrapped(encoder("precise"), "precision"),
        Wrapped(encoder("similar"), "similarity"),
        encoder("last"),
    ]
    with pytest.warns(UserWarning, match="KeyError") as warned:
        curves = evaluate(models, DATA, "patches", **SMALL)
    assert curves.models == ("first", "last")
    assert [failure.split(" ")[0].rstrip(":") for failure in curves.failures] == [
        "counts",
        "precise",
        "similar",
    ]
    assert "John" not in f"{curves} {[str(warning.message) for warning in warned]}"
    with pytest.raises(ModelError, match="token_lengths of counts"):
        evaluate(models[1], DATA, "patches", **SMALL)


def calls_broken(pixels: Pixels) -> Any:
    return broken(pixels)


def warning_of(model: DualEncoder) -> tuple[str, str]:
    """What is warned of a model that fails, and the failure that is kept."""
    with pytest.warns(UserWarning, match="Expected encode_images") as warned:
        curves = evaluate([model, encoder("whole")], DATA, "patches", **SMALL)
    return str(warned[0].message), curves.failures[0]


def test_a_warning_says_where_the_own_code_failed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warning, failure = warning_of(encoder("mine\u202e", calls_broken))
    first, *lines = warning.splitlines()
    assert first == failure.replace("\u202e", "\\u202e")
    assert "in calls_broken" in lines[1]
    assert "in broken: ValueError" in lines[2]
    assert "\n" not in failure
    monkeypatch.setenv("RETRIEVAL_ROBUST_SHOW_ERRORS", "full")
    warning, _ = warning_of(encoder("mine", calls_broken))
    assert 'raise ValueError("Mr Doe")' in warning


@pytest.mark.parametrize("kind", ["model", "data set", "occluder"])
@pytest.mark.parametrize("is_list", [False, True])
def test_members_that_raise_are_refused_at_the_door(kind: str, is_list: bool) -> None:
    def refuse(*_: object) -> None:
        raise KeyError("John Smith")

    good: dict[str, Any] = {
        "model": encoder("mine"),
        "data set": load_dataset(DATA),
        "occluder": load_occluder("patches"),
    }
    members = {"model": ["card", "device", "name"], "data set": ["name"]}
    # A wrapper raises while it is asked whether it has a member.
    passed_on = type("PassedOn", (), {"__getattr__": refuse})
    bad: list[Any] = [passed_on()]
    for member in members.get(kind, ["name"]):
        mine = type("Mine", (Wrapped,), {member: property(refuse)})
        bad.append(mine(good[kind]))
    for one in bad:
        arguments = {**good, kind: [one] if is_list else one}
        with pytest.raises(RobustError, match=r"Expected .* got KeyError") as said:
            evaluate(*arguments.values(), **SMALL)
        assert "John" not in f"{said.value} {said.value.__context__}"


def test_the_name_of_an_occluder_is_a_text() -> None:
    unnamed = type("Unnamed", (Wrapped,), {"name": None})
    occluder: Any = unnamed(load_occluder("patches"))
    with pytest.raises(ArgumentError, match="as a text, got a NoneType"):
        evaluate(encoder("mine"), DATA, occluder, **SMALL)


def test_where_everything_fails_the_first_error_is_raised() -> None:
    with pytest.raises(ModelError, match="encode_images of broken"):
        evaluate([encoder("broken", broken)], DATA, ["patches", "side"], **SMALL)


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((["x"], DATA, "patches"), UnknownNameError, "model='x'"),
        (([], DATA, "patches"), ArgumentError, "at least one model"),
        ((["clip"], (), "patches"), ArgumentError, "at least one data set"),
        ((["clip"], DATA, ["side", 3]), ArgumentError, "Expected an occluder"),
        ((["clip"], DATA, ["patchs"]), UnknownNameError, "Did you mean 'patches'"),
        ((["clip", "clip"], DATA, "side"), ArgumentError, "name='clip' twice"),
        (("clip", [DATA, DATA], "side"), ArgumentError, "twice"),
        (("clip", DATA, ["side", "side"]), ArgumentError, "name='side' twice"),
        ((["clip", int], DATA, "side"), ArgumentError, "got the class int"),
    ],
)
def test_mistakes_are_found_before_a_model_is_loaded(
    arguments: Any,
    error: type[Exception],
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def load(*_: object, **__: object) -> None:
        pytest.fail("loaded")

    monkeypatch.setattr(api, "load_model", load)
    with pytest.raises(error, match=said):
        evaluate(*arguments, **SMALL)


def test_a_k_above_a_gallery_is_found_before_a_model_is_loaded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(api, "load_model", lambda *_, **__: pytest.fail("loaded"))
    with pytest.raises(RankingError, match=r"k=50.*Lower --robust-k \(ks= of evaluate"):
        evaluate("clip", DATA, "patches", levels=(0.5,), ks=(50,))


class _Counting:
    """A whole model that counts the images that it encodes, and stops after some."""

    def __init__(self, after: int | None) -> None:
        self._model = load_model("tiny-cxr-clip", device="cpu")
        self._after = after
        self.images = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)

    def encode_images(self, pixels: Any) -> Any:
        # Keys ask for a few fixed pictures of their own.
        self.images += len(pixels)
        if self._after is not None and self.images > self._after:
            raise KeyboardInterrupt
        return self._model.encode_images(pixels)


def test_what_was_interrupted_goes_on_from_the_store(tmp_path: Path) -> None:
    arguments: dict[str, Any] = {**SMALL, "batch_size": 4, "cache_dir": tmp_path}

    def measure(after: int | None) -> tuple[Curves, int]:
        model: Any = _Counting(after)
        curves = evaluate([model], [DATA], ["patches", "side"], **arguments)
        return curves, model.images

    with pytest.raises(KeyboardInterrupt):
        measure(24)
    kept = len([*tmp_path.rglob("*.npz")])
    assert kept > 1
    resumed, encoded = measure(None)
    whole = evaluate(["tiny-cxr-clip"], DATA, ["patches", "side"], cache=False, **SMALL)
    assert resumed.to_dict() == whole.to_dict()
    again, encoded_again = measure(None)
    assert again.to_dict() == whole.to_dict()
    # Whatever keys ask for, the two runs differ in the images that were left.
    assert 0 < encoded - encoded_again < 3 * 12


def test_lists_are_kept_in_the_cache_folder_and_a_single_curve_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RETRIEVAL_ROBUST_CACHE", str(tmp_path))
    model = load_model("tiny-cxr-clip", device="cpu")
    evaluate(model, DATA, "patches", **SMALL)
    evaluate([model], DATA, "patches", cache=False, **SMALL)
    assert [*tmp_path.rglob("*.npz")] == []
    evaluate([model], DATA, "patches", **SMALL)
    kept = len([*tmp_path.rglob("*.npz")])
    assert kept > 0
    evaluate(model, DATA, "patches", cache=True, **SMALL)
    assert len([*tmp_path.rglob("*.npz")]) == kept
    with pytest.raises(ArgumentError, match="cache_dir as a path, got an empty text"):
        evaluate(model, DATA, "patches", cache_dir="", **SMALL)
    with pytest.raises(ArgumentError, match="cache_dir or cache=False"):
        evaluate(model, DATA, "patches", cache=False, cache_dir=tmp_path, **SMALL)


class _Screen:
    """What tqdm is asked to do."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.n = 0
        self.titles: list[str] = []
        self.is_closed = False

    def update(self, images: int) -> None:
        self.n += images
        assert 0 <= self.n <= self.total

    def set_description_str(self, title: str, refresh: bool) -> None:  # noqa: ARG002 - tqdm's
        self.titles.append(title)

    def set_postfix_str(self, text: str, refresh: bool) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> list[_Screen]:
    shown: list[_Screen] = []

    def new(total: int) -> _Screen:
        shown.append(_Screen(total))
        return shown[-1]

    monkeypatch.setattr(progress_bar, "_new_bar", new)
    return shown


def test_the_bar_counts_every_encoding(screens: list[_Screen]) -> None:
    models = [encoder("first"), encoder("broken", broken)]
    with pytest.warns(UserWarning, match="broken"):
        evaluate(models, DATA, ["patches", "side"], progress=True, **SMALL)
    (bar,) = screens
    assert (bar.n, bar.total) == (72, 2 * 12 * 3)
    assert bar.titles == [f"first on {DATA}", f"broken on {DATA}"]
    assert bar.is_closed


def test_the_bar_is_shown_where_a_person_looks(
    screens: list[_Screen], monkeypatch: pytest.MonkeyPatch
) -> None:
    def shows(**options: Any) -> bool:
        screens.clear()
        evaluate([encoder("first")], DATA, "side", **options, **SMALL)
        return bool(screens)

    assert not shows()
    assert not shows(progress=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    assert shows()
    monkeypatch.setattr(sys.stderr, "isatty", lambda: False, raising=False)
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    notebook = SimpleNamespace(get_ipython=lambda: shell)
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    assert shows()
    # A single curve is quiet unless it is asked.
    screens.clear()
    evaluate(encoder("first"), DATA, "side", **SMALL)
    assert screens == []


def test_an_interrupt_closes_the_bar(screens: list[_Screen]) -> None:
    def stop(_: Pixels) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        evaluate([encoder("mine", stop)], DATA, "side", progress=True, **SMALL)
    assert screens[0].is_closed


def test_tqdm_draws_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    evaluate([encoder("first")], DATA, "side", progress=True, **SMALL)
    assert "24/24" in capsys.readouterr().err
