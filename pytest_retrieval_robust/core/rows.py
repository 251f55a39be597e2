"""What an encoder returned: copied as rows, or refused with what to return instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from .errors import EmbeddingError

if TYPE_CHECKING:
    from torch import Tensor


def rows_of(output: object, count: int, model: str, method: str, device: str) -> Tensor:
    """(count, D) float32: a copy, on `device`, of the rows that an encoder returned.

    Arrays of numpy are taken too. Whether the numbers are of any use is checked later
    (`encoding.checked`).

    Raises:
        EmbeddingError: They are no rows.
    """
    import numpy as np
    import torch

    if isinstance(output, np.ndarray) and output.dtype.kind == "f":
        # Torch takes no array of another byte order, nor one that may not be written to.
        native = np.array(output, dtype=output.dtype.newbyteorder("="))
        output = torch.from_numpy(native)
    problem = _problem_with(output, count)
    if problem is not None:
        raise EmbeddingError(
            f"Expected embeddings of shape ({count}, D) from {method} of {model}, got"
            f" {problem}"
        )
    assert isinstance(output, torch.Tensor)
    rows = torch.empty(tuple(output.shape), dtype=torch.float32, device=device)
    return rows.copy_(output.detach())


def joined(pieces: Sequence[Tensor]) -> Tensor:
    """Rows of several pieces as one tensor."""
    import torch

    return pieces[0] if len(pieces) == 1 else torch.cat(list(pieces))


def _problem_with(output: object, count: int) -> str | None:
    """What was returned in place of rows, and what to do; None for rows."""
    import torch

    if not isinstance(output, torch.Tensor):
        return _of_another_kind(output)
    if output.is_nested or output.layout != torch.strided:
        return "a sparse or nested tensor. Return a plain one, such as rows.to_dense()."
    if output.is_meta:
        return (
            'a tensor on the device "meta", which holds no numbers. Load the weights'
            " before it is used."
        )
    if output.is_complex():
        return (
            f"dtype={output.dtype}. Return real rows: their dot product would lose the"
            " imaginary part."
        )
    if not output.is_floating_point():
        return (
            f"dtype={output.dtype}. Return floating rows, before anything is rounded or"
            " counted."
        )
    return _problem_with_shape(tuple(output.shape), count)


def _problem_with_shape(shape: tuple[int, ...], count: int) -> str | None:
    if len(shape) == 3 and shape[0] == count:
        return (
            f"shape={shape}. These look like a row per token: pool them, by the class"
            " token's row or by the mean of those that are no padding."
        )
    if len(shape) != 2 or shape[0] != count or shape[1] == 0:
        return f"shape={shape}. Return one row for each input, in its order."
    return None


def _of_another_kind(output: object) -> str:
    import numpy as np

    kind = type(output).__name__
    if output is None:
        return "None. Let the method return its rows."
    if isinstance(output, np.ndarray):
        return f"an array of dtype={output.dtype}. Return floating rows."
    # What transformers return is a mapping, or has this method.
    if isinstance(output, Mapping) or hasattr(output, "to_tuple"):
        return (
            f"a {kind}. Return the tensor within it that holds the embeddings, such as"
            " output.image_embeds."
        )
    if isinstance(output, tuple):
        return (
            f"a {kind} of {len(output)}. Return the one of its parts that holds the"
            " embeddings."
        )
    if isinstance(output, list):
        return (
            f"a {kind} of {len(output)}. Make one tensor of it, such as"
            " torch.stack(rows)."
        )
    return f"a {kind}. Return a tensor."
