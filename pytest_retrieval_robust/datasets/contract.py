"""Whether an object is a data set as `RetrievalDataset` says.

Each mistake is reported in a sentence that quotes no content.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core.errors import DatasetError
from ..core.foreign import described, traced
from ..core.loaders import LoaderArguments
from ._pixels.damage import attempted

if TYPE_CHECKING:
    from .retrieval_dataset import RetrievalDataset

_WORDS = ("name", "fingerprint", "split", "text", "relevance")
_TEXTS = {"image_ids": "image", "reports": "report", "patients": "image"}
"""Member -> what each of its texts belongs to."""
_GROUPS = {"image_groups": "images", "report_groups": "reports"}
"""Member -> what it has one number of each."""
_MEMBERS = (*_WORDS, *_TEXTS, *_GROUPS, "image")
_ADVICE = "dataset_from_lists makes a whole data set of lists of images and reports."
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
_KINDS = {
    type(None): "None",
    int: "a number",
    float: "a number",
    bool: "true or false",
    list: "a list",
}


def opened(
    load: Callable[..., RetrievalDataset], name: str, arguments: LoaderArguments
) -> RetrievalDataset:
    """What `load` of the entry `name` gives, checked.

    Raises `DatasetError` for whatever else it raises or gives.
    """
    _require_callable_with(load, name, arguments)
    dataset = attempted(
        lambda: arguments.call_with_parameters(load),
        lambda error: traced(
            DatasetError(
                f"Expected load of the data set {name} to open it, got"
                f" {described(error)}. Fix that function."
            ),
            error,
        ),
    )
    require_dataset(dataset, name)
    return dataset


def _require_callable_with(
    load: Callable[..., Any], name: str, arguments: LoaderArguments
) -> None:
    """Refuse a `load` that takes neither a request nor the data set's parameters."""
    if arguments.fit(load):
        return
    taken = ", ".join(inspect.signature(load).parameters) or "none"
    parameters = ", ".join(arguments.options) or "none"
    raise DatasetError(
        f"Expected load of the data set {name} to take the data set's parameters"
        f" ({parameters}) or one request, got one that takes {taken}. Write `def"
        " load():` or `def load(request):`, or give the other parameters defaults."
    )


def require_dataset(dataset: object, name: str | None = None) -> None:
    """Raise `DatasetError` for what is no data set.

    A member may be missing, lists may differ in length, or an id may be there twice.
    """
    members = _Members(dataset, name or _own_name(dataset))
    members.require_all()
    for member in _WORDS:
        members.require_word(member)
    counts = {
        member: members.require_texts(member, item) for member, item in _TEXTS.items()
    }
    # Only once it is known that all of them are texts.
    members.require_distinct_ids()
    images = counts["image_ids"]
    if counts["patients"] != images:
        raise DatasetError(
            f"Expected a patient for each of the {images} images of {members.name}, got"
            f" {counts['patients']}. Without patients, give each image one of its own."
        )
    members.require_groups("image_groups", images)
    members.require_groups("report_groups", counts["reports"])
    if not callable(members.value("image")):
        raise DatasetError(
            f"Expected a method image(index) of {members.name}, got a value. Return a"
            " PIL image for an index."
        )


def _own_name(dataset: object) -> str:
    try:
        name = getattr(dataset, "name", None)
    # It is reported when the name itself is checked.
    except Exception:
        name = None
    return name if isinstance(name, str) and name else f"a {type(dataset).__name__}"


class _Members:
    """The members of a supposed data set."""

    def __init__(self, dataset: object, name: str) -> None:
        self._dataset = dataset
        self.name = name

    def require_all(self) -> None:
        missing = [member for member in _MEMBERS if not self._has(member)]
        if missing:
            kind = type(self._dataset).__name__
            raise DatasetError(
                f"Expected a data set with {', '.join(missing)} as {self.name}, got a"
                f" {kind} without. Add them: the members are those of RetrievalDataset."
                f" {_ADVICE}"
            )

    def value(self, member: str) -> Any:
        return attempted(
            lambda: getattr(self._dataset, member),
            lambda error: self._broken(member, error),
        )

    def _has(self, member: str) -> bool:
        """Whether there is such a member.

        One that raises AttributeError within itself is there, and broken.
        """
        # Without running a property, which may raise AttributeError itself.
        if inspect.getattr_static(self._dataset, member, None) is not None:
            return True
        return attempted(
            lambda: hasattr(self._dataset, member),
            lambda error: self._broken(member, error),
        )

    def _broken(self, member: str, error: BaseException) -> DatasetError:
        broken = DatasetError(
            f"Expected {member} of {self.name}, got {described(error)}. Fix that"
            " member."
        )
        return traced(broken, error)

    def require_word(self, member: str) -> None:
        word = self.value(member)
        if not isinstance(word, str) or not word:
            advice = _WORD_ADVICE.get(member, "Give it as a property or attribute.")
            raise DatasetError(
                f"Expected {member} of {self.name} as a text, got {_kind(word)}."
                f" {advice}"
            )

    def require_texts(self, member: str, item: str) -> int:
        """How many texts there are.

        Raises `DatasetError` for one that is no text, or that UTF-8 cannot hold.
        """
        texts = self.value(member)
        if isinstance(texts, str | bytes) or not isinstance(texts, Sequence):
            raise DatasetError(
                f"Expected {member} of {self.name} as a list of texts, got"
                f" {_kind(texts)}. {_list_advice(member, texts)}"
            )
        for number, text in enumerate(texts):
            if not isinstance(text, str):
                raise DatasetError(
                    f"Expected texts as {member} of {self.name}, got {_kind(text)} for"
                    f" {item} number {number}. Write str(...) of it, or leave that pair"
                    " out."
                )
            # The common case is quick: ASCII holds no half of a pair.
            if not text.isascii() and not _is_whole(text):
                raise DatasetError(
                    f"Expected texts of whole characters as {member} of {self.name},"
                    f" got half of a surrogate pair for {item} number {number}. Use"
                    " text.encode('utf-8', 'replace').decode()."
                )
        return len(texts)

    def require_distinct_ids(self) -> None:
        number_of: dict[str, int] = {}
        for number, image_id in enumerate(self.value("image_ids")):
            if not image_id:
                raise DatasetError(
                    f"Expected an id of each image of {self.name}, got an empty text"
                    f" for image number {number}. Masks and stored embeddings follow"
                    " ids: give each image its own."
                )
            earlier = number_of.setdefault(image_id, number)
            if earlier != number:
                raise DatasetError(
                    f"Expected each image id of {self.name} once, got that of image"
                    f" number {earlier} again for number {number}. Masks and stored"
                    " embeddings follow ids: give each image its own."
                )

    def require_groups(self, member: str, count: int) -> None:
        groups = self.value(member)
        is_array = isinstance(groups, np.ndarray)
        if not is_array or groups.dtype.kind not in "iu" or groups.dtype.itemsize > 8:
            got = f"an array of {groups.dtype}" if is_array else _kind(groups)
            raise DatasetError(
                f"Expected {member} of {self.name} as a numpy array of whole numbers,"
                f" got {got}. Use np.array(groups, dtype=np.int64)."
            )
        if groups.shape != (count,):
            raise DatasetError(
                f"Expected {member} of {self.name} with one number for each of its"
                f" {count} {_GROUPS[member]}, got shape={groups.shape}. An image and a"
                " report belong together if their numbers are equal."
            )


def _list_advice(member: str, texts: object) -> str:
    if texts is not None:
        return "Use list(...) of them."
    if member == "patients":
        return "Without patients, give each image one of its own."
    return "Give one for each, in order."


def _is_whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _kind(value: object) -> str:
    if isinstance(value, str) and not value:
        return "an empty text"
    return _KINDS.get(type(value), f"a {type(value).__name__}")
