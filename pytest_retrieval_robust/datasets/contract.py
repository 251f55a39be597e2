"""Whether an object is a data set as the package understands it: each mistake as a
sentence that quotes no content.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DatasetError, RobustError
from ..core.foreign import described
from ._pixels.damage import attempted

if TYPE_CHECKING:
    from .retrieval_dataset import RetrievalDataset

_WORDS = ("name", "fingerprint", "split", "text", "relevance")
_TEXTS = ("image_ids", "reports", "patients")
_GROUPS = ("image_groups", "report_groups")
_ADVICE = "dataset_from_lists makes a whole data set of lists of images and reports."


def opened(
    load: Callable[..., RetrievalDataset], name: str, options: Mapping[str, object]
) -> RetrievalDataset:
    """What `load` of the entry `name` gives, checked.

    Raises `DatasetError` for whatever else it raises or gives.
    """
    _require_callable_with(load, name, options)
    dataset = attempted(
        lambda: load(**options),
        lambda error: DatasetError(
            f"Expected load of the data set {name} to open it, got {described(error)}."
            " Fix that function."
        ),
    )
    require_dataset(dataset, name)
    return dataset


def _require_callable_with(
    load: Callable[..., Any], name: str, options: Mapping[str, object]
) -> None:
    """`load` is called with the data set's parameters alone, unlike a model's, which is
    given a request.
    """
    try:
        signature = inspect.signature(load)
    except (TypeError, ValueError):  # some built-in callables have none
        return
    try:
        signature.bind(**options)
        return
    except TypeError:
        wanted = ", ".join(signature.parameters) or "none"
    given = ", ".join(options) or "none"
    raise DatasetError(
        f"Expected load of the data set {name} to take the data set's parameters"
        f" ({given}), got one that takes {wanted}. Write `def load():`, or give the"
        " other parameters defaults: a data set's load is not given a request, as a"
        " model's is."
    )


def require_dataset(dataset: object, name: str | None = None) -> None:
    """Raise `DatasetError` for what is no data set: a missing member, lists of
    different lengths, an id twice.
    """
    shown = name or _own_name(dataset)
    kind = type(dataset).__name__
    members = (*_WORDS, *_TEXTS, *_GROUPS, "image")
    missing = [member for member in members if not _has(dataset, member, shown)]
    if missing:
        raise DatasetError(
            f"Expected a data set with {', '.join(missing)} as {shown}, got a {kind}"
            f" without. Add them: the members are those of RetrievalDataset. {_ADVICE}"
        )
    for member in _WORDS:
        _require_word(_value(dataset, member, shown), member, shown)
    images = _require_texts(
        _value(dataset, "image_ids", shown), "image_ids", shown, "image"
    )
    reports = _require_texts(
        _value(dataset, "reports", shown), "reports", shown, "report"
    )
    patients = _require_texts(
        _value(dataset, "patients", shown), "patients", shown, "image"
    )
    _require_distinct(_value(dataset, "image_ids", shown), shown)
    if patients != images:
        raise DatasetError(
            f"Expected a patient for each of the {images} images of {shown}, got"
            f" {patients}. Without patients, give each image one of its own."
        )
    for member, count, of in (
        ("image_groups", images, "images"),
        ("report_groups", reports, "reports"),
    ):
        _require_groups(_value(dataset, member, shown), member, count, of, shown)
    if not callable(_value(dataset, "image", shown)):
        raise DatasetError(
            f"Expected a method image(index) of {shown}, got a value. Return a PIL"
            " image for an index."
        )


def _own_name(dataset: object) -> str:
    try:
        name = getattr(dataset, "name", None)
    except Exception:  # said where the name itself is asked for
        name = None
    return name if isinstance(name, str) and name else f"a {type(dataset).__name__}"


def _has(dataset: object, member: str, shown: str) -> bool:
    """Whether there is such a member.

    One that raises AttributeError within itself is there, and broken.
    """
    if inspect.getattr_static(dataset, member, None) is not None:
        return True
    return bool(
        attempted(
            lambda: hasattr(dataset, member),
            lambda error: _broken_member(member, shown, error),
        )
    )


def _value(dataset: object, member: str, shown: str) -> Any:
    return attempted(
        lambda: getattr(dataset, member),
        lambda error: _broken_member(member, shown, error),
    )


def _broken_member(member: str, shown: str, error: BaseException) -> RobustError:
    return DatasetError(
        f"Expected {member} of {shown}, got {described(error)}. Fix that member."
    )


def _require_word(value: object, member: str, shown: str) -> None:
    if not isinstance(value, str) or not value:
        raise DatasetError(
            f"Expected {member} of {shown} as a text, got {_kind(value)}. "
            f"{_WORD_ADVICE.get(member, 'Give it as a property or attribute.')}"
        )


_WORD_ADVICE = {
    "fingerprint": (
        "Give a hash of ids and texts, in hexadecimal digits: it says whether two runs"
        " had the same data."
    ),
    "split": "Give the name of the part of the data, as 'test', or 'all'.",
    "text": "Give what the texts are: 'findings', 'impression' or 'full'.",
    "relevance": (
        "Give the rule by which reports are right: 'same-text' or 'strict-id'."
    ),
}


def _require_texts(values: object, member: str, shown: str, of: str) -> int:
    """How many there are; `DatasetError` for one that is no text, or that cannot be
    written in UTF-8.
    """
    if isinstance(values, str | bytes) or not isinstance(values, Sequence):
        raise DatasetError(
            f"Expected {member} of {shown} as a list of texts, got {_kind(values)}. Use"
            " list(...) of them."
        )
    for number, value in enumerate(values):
        if not isinstance(value, str):
            raise DatasetError(
                f"Expected texts as {member} of {shown}, got {_kind(value)} for {of}"
                f" number {number}. Write str(...) of it, or leave that pair out."
            )
        if not value.isascii() and not _is_whole(value):
            raise DatasetError(
                f"Expected texts of whole characters as {member} of {shown}, got half"
                f" of a surrogate pair for {of} number {number}. Use"
                " text.encode('utf-8', 'replace').decode()."
            )
    return len(values)


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_distinct(ids: Sequence[str], shown: str) -> None:
    first: dict[str, int] = {}
    for number, one in enumerate(ids):
        if not one:
            raise DatasetError(
                f"Expected an id of each image of {shown}, got an empty text for image"
                f" number {number}. Masks and stored embeddings follow ids: give each"
                " image its own."
            )
        earlier = first.setdefault(one, number)
        if earlier != number:
            raise DatasetError(
                f"Expected each image id of {shown} once, got that of image number"
                f" {earlier} again for number {number}. Masks and stored embeddings"
                " follow ids: give each image its own."
            )


def _require_groups(
    groups: object, member: str, count: int, of: str, shown: str
) -> None:
    if (
        not isinstance(groups, np.ndarray)
        or groups.dtype.kind not in "iu"
        or groups.dtype.itemsize > 8
    ):
        got = (
            f"an array of {groups.dtype}"
            if isinstance(groups, np.ndarray)
            else _kind(groups)
        )
        raise DatasetError(
            f"Expected {member} of {shown} as a numpy array of whole numbers, got"
            f" {got}. Use np.array(groups, dtype=np.int64)."
        )
    if groups.shape != (count,):
        raise DatasetError(
            f"Expected {member} of {shown} with one number for each of its {count}"
            f" {of}, got shape={groups.shape}. An image and a report belong together"
            " where their numbers are equal."
        )


def _kind(value: object) -> str:
    names = {
        type(None): "None",
        int: "a number",
        float: "a number",
        bool: "true or false",
        list: "a list",
    }
    if isinstance(value, str) and not value:
        return "an empty text"
    return names.get(type(value), f"a {type(value).__name__}")
