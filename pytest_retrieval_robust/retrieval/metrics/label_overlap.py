"""How many labels a query shares with its answers: the Jaccard index of label sets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Queries at a time, so that memory stays small.
_ROWS = 256


def label_overlap(
    neighbours: NDArray[np.int64],
    query_labels: NDArray[np.bool_],
    gallery_labels: NDArray[np.bool_],
) -> float:
    """The mean Jaccard index, 0..1, of each query's labels with those of its first k answers.

    |both| / |either|, and 1 where neither has a label: two normal studies agree.

    >>> import numpy as np
    >>> labels = np.array([[True, True], [True, False], [False, False]])
    >>> label_overlap(np.array([[0, 1]]), labels[:1], labels)
    0.75

    Args:
        neighbours: (Q, k) gallery indices, such as the first result of `top_k`.
        query_labels: (Q, L) bool.
        gallery_labels: (G, L) bool.

    Raises:
        ValueError: Shapes that do not fit, or an index outside the gallery.
    """
    _check_labels(query_labels, gallery_labels)
    is_table = neighbours.ndim == 2 and neighbours.size > 0
    if not is_table or len(neighbours) != len(query_labels):
        raise ValueError(
            f"Expected neighbours of shape ({len(query_labels)}, k), got"
            f" shape={neighbours.shape}. Use the indices that top_k gives."
        )
    if neighbours.min() < 0 or neighbours.max() >= len(gallery_labels):
        raise ValueError(
            f"Expected gallery indices from 0 to {len(gallery_labels) - 1}, got"
            f" neighbours from {neighbours.min()} to {neighbours.max()}. Pass the"
            " labels of the gallery that was searched."
        )
    answers = gallery_labels[neighbours]
    queries = query_labels[:, None]
    both = (answers & queries).sum(axis=2)
    either = (answers | queries).sum(axis=2)
    return float(_jaccard(both, either).mean())


def chance_label_overlap(
    query_labels: NDArray[np.bool_], gallery_labels: NDArray[np.bool_]
) -> float:
    """The `label_overlap` of answers in random order, for every k: the mean over all
    pairs of query and gallery item.

    Args:
        query_labels: (Q, L) bool.
        gallery_labels: (G, L) bool.

    Raises:
        ValueError: Shapes that do not fit.
    """
    import numpy as np

    _check_labels(query_labels, gallery_labels)
    # Products of zeros and ones count what both have, and are exact in float64.
    gallery = gallery_labels.astype(np.float64)
    gallery_counts = gallery.sum(axis=1)
    total = 0.0
    for start in range(0, len(query_labels), _ROWS):
        queries = query_labels[start : start + _ROWS].astype(np.float64)
        both = queries @ gallery.T
        either = queries.sum(axis=1)[:, None] + gallery_counts - both
        total += float(_jaccard(both, either).sum())
    return total / (len(query_labels) * len(gallery_labels))


def _jaccard(both: NDArray[Any], either: NDArray[Any]) -> NDArray[np.float64]:
    import numpy as np

    shares: NDArray[np.float64] = np.divide(
        both, either, out=np.ones(both.shape), where=either != 0
    )
    return shares


def _check_labels(
    query_labels: NDArray[np.bool_], gallery_labels: NDArray[np.bool_]
) -> None:
    shapes = (query_labels.shape, gallery_labels.shape)
    are_tables = all(len(shape) == 2 and shape[0] > 0 for shape in shapes)
    fit = are_tables and shapes[0][1] == shapes[1][1]
    dtypes = (str(query_labels.dtype), str(gallery_labels.dtype))
    if not fit or dtypes != ("bool", "bool"):
        raise ValueError(
            f"Expected bool labels of shapes (Q, L) and (G, L), got shapes={shapes},"
            f" dtypes={dtypes}. Use the label matrices of a data set."
        )
