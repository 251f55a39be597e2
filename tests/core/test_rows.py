"""What an encoder returned is copied as rows, or refused in a sentence."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from pytest_retrieval_robust.core.calling import encode_images, encode_reports
from pytest_retrieval_robust.core.errors import EmbeddingError
from pytest_retrieval_robust.core.rows import rows_of

from ..measure.sweep.test_sweep import Pixels
from .sweeps import encoder_of


class Output(dict):  # type: ignore[type-arg]
    """What transformers return."""


ROWS = torch.nn.functional.normalize(torch.ones(2, 3), dim=1)


@pytest.mark.parametrize(
    ("output", "sentence"),
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
    output: Any, sentence: str, method: str
) -> None:
    model = encoder_of(Pixels)
    setattr(model, method, lambda _: output)
    calls: dict[str, Callable[[], object]] = {
        "encode_images": lambda: encode_images(model, torch.zeros(2, 3, 4, 4)),
        "encode_reports": lambda: encode_reports(model, ["report 0", "report 1"]),
    }
    with pytest.raises(EmbeddingError, match=sentence) as caught:
        calls[method]()
    assert str(caught.value).startswith(
        f"Expected embeddings of shape (2, D) from {method} of pixels, got"
    )
    assert caught.value.__cause__ is caught.value.__context__ is None


@pytest.mark.parametrize(
    "output",
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
def test_rows_of_other_forms_are_copied_as_float32(output: Any) -> None:
    rows = rows_of(output, 2, "m", "encode_images", "cpu")
    assert rows.dtype == torch.float32
    assert rows.is_contiguous()
    assert not rows.requires_grad
    assert torch.allclose(rows, ROWS, atol=1e-3)
    if isinstance(output, Tensor):
        assert rows.data_ptr() != output.data_ptr()
