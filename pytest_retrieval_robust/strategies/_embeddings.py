"""Making and drawing of embeddings."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ..core.words import known_word

if TYPE_CHECKING:
    import torch
    from hypothesis.strategies import DrawFn, SearchStrategy

_COMMON = (0.0, 1.0, 10.0, 1000.0)
# Equal; different in the last bits of a float32, which its products lose; nearly equal.
_SPREADS = (0.0, 1e-7, 1e-5)


@overload
def unit_rows(
    rows: int,
    dims: int,
    *,
    repeated: int = ...,
    spread: float = ...,
    common: float = ...,
    seed: int = ...,
    library: Literal["numpy"] = ...,
) -> NDArray[np.float32]: ...


@overload
def unit_rows(
    rows: int,
    dims: int,
    *,
    repeated: int = ...,
    spread: float = ...,
    common: float = ...,
    seed: int = ...,
    library: Literal["torch"],
) -> torch.Tensor: ...


def unit_rows(
    rows: int,
    dims: int,
    *,
    repeated: int = 0,
    spread: float = 0.0,
    common: float = 0.0,
    seed: int = 0,
    library: Literal["numpy", "torch"] = "numpy",
) -> Any:
    """(rows, dims) float32 rows of length 1 in random directions.

    >>> first, second, third = unit_rows(3, 2, repeated=1)
    >>> bool((first == third).all()), bool((first == second).all())
    (True, False)

    Args:
        rows: N.
        dims: D.
        repeated: How many rows, the last ones, repeat the first ones; less than N.
        spread: How far a repeated row lies from its first: 0 for duplicates, 1e-7 for
            near-ties.
        common: The length of a vector that is added to all rows before they get length 1.
            10 and more put them in one cone, as trained encoders do.
        seed: Which directions.
        library: `numpy` for an array, `torch` for a tensor.
    """
    known_word("library", library, ("numpy", "torch"))
    # Of all of NumPy's generators only this one has a frozen stream.
    random = np.random.RandomState(seed)
    own = random.standard_normal((rows, dims))
    shared = random.standard_normal((1, dims))
    shifts = random.standard_normal((rows, dims))
    numbers = np.arange(rows)
    originals = numbers % max(1, rows - repeated)
    is_repeated = (originals != numbers)[:, None]
    vectors = own[originals] + common * shared / np.linalg.norm(shared)
    vectors += spread * _lengths(vectors) * shifts * is_repeated
    unit: NDArray[np.float32] = (vectors / _lengths(vectors)).astype(np.float32)
    if library == "numpy":
        return unit
    import torch

    return torch.from_numpy(unit)


def _lengths(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    lengths: NDArray[np.float64] = np.linalg.norm(vectors, axis=1, keepdims=True)
    return lengths


@st.composite
def embeddings(
    draw: DrawFn,
    library: str,
    *,
    min_rows: int,
    max_rows: int,
    min_dims: int,
    max_dims: int,
) -> Any:
    rows = draw(st.integers(min_rows, max_rows))
    dims = draw(st.integers(min_dims, max_dims))
    varied: dict[str, SearchStrategy[Any]] = {
        "repeated": st.integers(0, rows - 1),
        "spread": st.sampled_from(_SPREADS),
        "common": st.sampled_from(_COMMON),
        "seed": st.integers(0, 2**32 - 1),
    }
    if library == "torch":
        varied["library"] = st.just(library)
    # Hypothesis prints what `builds` calls where that is shorter than the numbers.
    return draw(st.builds(unit_rows, st.just(rows), st.just(dims), **varied))
