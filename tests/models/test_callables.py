"""A model from plain callables: in a conftest, by an entry point, and in Python."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import (
    encoder_from_callables,
    evaluate,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.errors import EmbeddingError, ModelError

from ..conftest import Run

SERVICE = """
    import numpy as np
    import pytest
    from pytest_retrieval_robust import encoder_from_callables
    from pytest_retrieval_robust.models import ModelEntry

    def embed_images(pixels):
        return pixels.reshape(len(pixels), -1)[:, :64] - 0.5

    def embed_reports(texts):
        return [[len(text) % (n + 2) + 0.1 for n in range(64)] for text in texts]

    def load(request):
        return encoder_from_callables("service", embed_images, embed_reports, size=32)
"""
HOOK = """
    @pytest.hookimpl(optionalhook=True)
    def pytest_robust_register(catalogues):
        catalogues.models.add(ModelEntry("service", "our remote encoder", load))
"""


def test_callables_in_a_conftest(pytester: pytest.Pytester, bare_suite: Run) -> None:
    pytester.makeconftest(SERVICE + HOOK)
    bare_suite("--robust-models=service", "--robust-measure-only").assert_outcomes(
        passed=2
    )
    # The hook's marker keeps a project without the plugin alive.
    pytester.makepyfile(test_mine="def test_nothing(): pass")
    assert pytester.runpytest("-p", "no:retrieval_robust").ret == pytest.ExitCode.OK


def test_callables_by_an_entry_point(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makepyfile(
        our_models=SERVICE
        + '\n    def register(catalogue):\n        catalogue.add(ModelEntry("service",'
        ' "", load))'
    )
    info = pytester.mkdir("our_models-1.0.dist-info")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: our-models\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[pytest_retrieval_robust.models]\nours = our_models:register\n"
    )
    pytester.syspathinsert()
    bare_suite("--robust-models=service", "--robust-measure-only").assert_outcomes(
        passed=2
    )


def test_callables_in_python_are_given_plain_arrays() -> None:
    data = load_dataset("synthetic-cxr", pairs=12)
    tiny = load_model("tiny-cxr-clip", device="cpu")
    batches: list[np.ndarray[Any, Any]] = []

    def images(pixels: np.ndarray[Any, Any]) -> Any:
        batches.append(pixels)
        return 7 * tiny.encode_images(
            torch.from_numpy(pixels)
        )  # any length, any array type

    def reports(texts: list[str]) -> Any:
        return tiny.encode_reports(texts).numpy().astype(np.float64)

    ours = encoder_from_callables("ours", images, reports, prepare=tiny.prepare)
    patches = load_occluder("patches")
    curve, tiny_curve = (
        evaluate(model, data, patches, levels=(0.3,)) for model in (ours, tiny)
    )
    assert curve.recall(k=1) == tiny_curve.recall(k=1)
    assert all(
        batch.dtype == np.float32
        and batch.shape[1] == 3
        and 0 <= batch.min() <= batch.max() <= 1
        for batch in batches
    )


class Strange:
    def __array__(self, *_: object, **__: object) -> Any:
        raise RuntimeError("Mr Doe. FINDINGS: effusion")


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (None, "a NoneType of dtype=object"),
        ("text", "a str of dtype=<U4"),
        ([["0.5", "1.5"], ["2.5", "3.5"]], "a list of dtype=<U3"),
        ([[None, 1.0], [1.0, 2.0]], "a list of dtype=object"),
        ([[1.0], [2.0, 3.0]], "a list that is no array of numbers"),
        ([[1.0, 2.0]], r"a list of shape=\(1, 2\)"),
        ([[1.0, 2.0]] * 3, r"a list of shape=\(3, 2\)"),
        ([], r"a list of shape=\(0,\)"),
        ({"rows": 1}, "a dict of dtype=object"),
        (Strange(), "a Strange that is no array of numbers"),
        (np.zeros(3), r"a ndarray of shape=\(3,\)"),
        (np.zeros((2, 0)), r"a ndarray of shape=\(2, 0\)"),
        (np.zeros((2, 4, 5)), r"a ndarray of shape=\(2, 4, 5\)"),
        (np.ones((2, 4), complex), "a ndarray of dtype=complex128"),
        (np.array([["a", 1], ["b", 2]], object), "a ndarray of dtype=object"),
        (np.zeros((2, 3), "datetime64[s]"), r"a ndarray of dtype=datetime64\[s\]"),
        (torch.ones(2, 4, dtype=torch.complex64), "a Tensor of dtype=complex64"),
        (torch.ones(2, 4, device="meta"), "a Tensor that is no array of numbers"),
        (torch.ones(2, 4).to_sparse(), "a Tensor that is no array of numbers"),
    ],
)
@pytest.mark.parametrize("method", ["encode_images", "encode_reports"])
def test_callables_that_return_something_else(rows: Any, got: str, method: str) -> None:
    ours = encoder_from_callables("ours", lambda _: rows, lambda _: rows)
    argument: Any = torch.zeros(2, 3, 4, 4) if method == "encode_images" else ["a", "b"]
    with pytest.raises(
        EmbeddingError,
        match=rf"Expected {method} of ours to return \(2, D\) rows .* got {got}\.",
    ) as caught:
        getattr(ours, method)(argument)
    assert caught.value.__context__ is None
    assert "Doe" not in str(caught.value)


ROWS = np.arange(1.0, 9.0).reshape(2, 4)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.astype(np.float16),
        ROWS.astype(np.int8),
        ROWS.tolist(),
        [tuple(row) for row in ROWS],
        list(ROWS),
        np.asfortranarray(ROWS),
        ROWS[::-1][::-1],
        torch.from_numpy(ROWS),
        torch.from_numpy(ROWS).to(torch.bfloat16),
        torch.from_numpy(ROWS).requires_grad_(),
        np.lib.stride_tricks.as_strided(ROWS, writeable=False),
    ],
)
def test_callables_may_return_any_array_of_numbers(rows: Any) -> None:
    encoded = encoder_from_callables(
        "ours", lambda _: rows, lambda _: rows
    ).encode_reports(["a", "b"])
    expected = torch.nn.functional.normalize(torch.from_numpy(ROWS).float(), dim=1)
    assert encoded.dtype == torch.float32
    assert torch.allclose(encoded, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_callables_may_change_what_they_are_given(dtype: torch.dtype) -> None:
    def images(pixels: np.ndarray[Any, Any]) -> Any:
        pixels -= 0.5
        return pixels.reshape(len(pixels), -1)

    pixels = torch.rand(3, 3, 4, 4).to(dtype)
    before = pixels.clone()
    ours = encoder_from_callables("ours", images, list)
    first = ours.encode_images(pixels)
    second = ours.encode_images(pixels)
    assert torch.equal(pixels, before)
    assert torch.equal(first, second)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_callables_may_return_one_buffer_again_and_again(as_tensor: bool) -> None:
    buffer = np.zeros((2, 4), np.float32)

    def reports(texts: list[str]) -> Any:
        buffer[:] = [[len(text), 1, 0, 0] for text in texts]
        # Unit rows: dividing by their length would change nothing, so that a view of
        # them could be handed on.
        buffer[:] /= np.linalg.norm(buffer, axis=1, keepdims=True)
        return torch.from_numpy(buffer) if as_tensor else buffer.view()

    ours = encoder_from_callables("ours", len, reports)
    first = ours.encode_reports(["a", "bb"])
    before = first.clone()
    ours.encode_reports(["a long one", "and a longer one"])
    assert torch.equal(first, before)
    assert not np.shares_memory(first.numpy(), buffer)


def test_callables_whose_prepare_returns_something_else() -> None:
    ours = encoder_from_callables(
        "ours",
        len,
        len,
        prepare=lambda image: np.asarray(image),  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(
        ModelError, match="Expected prepare of ours to return Prepared.* got a ndarray"
    ):
        ours.prepare(load_dataset("synthetic-cxr", pairs=1).image(0))
