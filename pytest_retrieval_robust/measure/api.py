"""The Python interface: load a model, a data set and an occluder, and measure a curve."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from copy import copy
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..core.cases import CLEAN, Case, Cell
from ..core.catalogue import Catalogues
from ..core.device import resolve_device
from ..core.errors import ArgumentError, RobustError, UnknownNameError
from ..core.outcomes import Outcome
from ..core.words import known_word
from ..models import (
    DualEncoder,
    LoadRequest,
    ModelCard,
    ModelEntry,
    Precision,
    Prepared,
    check_accepted,
    load_entry,
)
from ..models.locators import entry_for, is_locator
from ..occluders import Occluder
from ..retrieval.curve import Curve
from .arguments import (
    check_dataset,
    check_function,
    check_model,
    check_occluder,
    check_optional_whole,
    check_path,
    check_text,
    checked_ks,
    checked_levels,
    checked_seed,
    device_name,
)
from .from_text import dataset_from_text, occluder_from_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..datasets import RetrievalDataset
    from .sweep.run import Measured


_TABLES = (".csv", ".tsv", ".jsonl", ".parquet", ".gz", ".tar")


@cache
def _catalogues() -> Catalogues:
    return Catalogues()


def load_model(
    name: str,
    *,
    checkpoint: str | PathLike[str] | None = None,
    tokenizer: str | PathLike[str] | None = None,
    device: str = "auto",
    precision: Precision = "fp32",
    download: bool = True,
    cache_dir: str | PathLike[str] | None = None,
    **options: object,
) -> DualEncoder:
    """Load a model by catalogue name or locator (`hf:ORG/NAME[@REV]`,
    `open_clip:ARCH/TAG`, `local-dir:PATH`).

    `checkpoint` is a file or folder of one's own in the layout that the named model is
    published in (its variant is read from the file), `tokenizer` a folder or hub
    repository, and `options` what the model's entry accepts (`preprocessing`,
    `context_length`). Without a checkpoint the published weights are taken from the
    caches, or fetched if `download`.

    Raises `UnknownNameError`, `ConfigError` (an option that the model does not have),
    `NotOnThisMachineError` (weights missing) or `ModelError` (weights damaged, or
    another model's).
    """
    check_text("name", name, "tiny-cxr-clip")
    known_word("precision", precision, get_args(Precision))
    for key, path in (
        ("checkpoint", checkpoint),
        ("tokenizer", tokenizer),
        ("cache_dir", cache_dir),
    ):
        check_path(key, path)
    entry: ModelEntry = (
        entry_for(name) if is_locator(name) else _catalogues().models.get(name)
    )
    request = LoadRequest(
        resolve_device(device_name(device)),
        precision,
        download,
        checkpoint=None if checkpoint is None else Path(checkpoint),
        tokenizer=None if tokenizer is None else fspath(tokenizer),
        cache_dir=None if cache_dir is None else Path(cache_dir),
        options=options,
    )
    check_accepted(entry, request)
    return load_entry(entry, request)


def encoder_from_callables(
    name: str,
    encode_images: Callable[[NDArray[np.float32]], Any],
    encode_reports: Callable[[list[str]], Any],
    *,
    size: int = 224,
    prepare: Callable[[Image], Prepared] | None = None,
    source: str = "callables",
) -> DualEncoder:
    """A model from two functions: a remote service, an ONNX session, or anything else that embeds.

    `encode_images` is given float32 (B, 3, S, S) on the 0..1 scale and `encode_reports`
    a list of B texts; each returns (B, D) rows (array, tensor or nested lists), which
    need not be of length 1. Normalising with the model's own mean and standard
    deviation is their work. `prepare` maps a PIL image to `Prepared`; without it the
    short side is resized to `size` pixels (bicubic) and the middle square is kept.
    Raises `EmbeddingError` for rows of a wrong shape.
    """
    from ..models._formats.callables import CallableEncoder

    check_text("name", name, "our-candidate")
    for key, function in (
        ("encode_images", encode_images),
        ("encode_reports", encode_reports),
        ("prepare", prepare),
    ):
        check_function(key, function, optional=key == "prepare")
    check_optional_whole("size", size)
    card = ModelCard(source=source, input_size=size)
    return CallableEncoder(
        name, encode_images, encode_reports, size=size, prepare=prepare, card=card
    )


def dataset_from_lists(
    name: str,
    images: Iterable[Any],
    reports: Iterable[Any],
    patients: Iterable[Any] | None = None,
    *,
    ids: Iterable[Any] | None = None,
    studies: Iterable[Any] | None = None,
    labels: Iterable[Any] | None = None,
    split: str = "all",
    relevance: str = "same-text",
    on_error: str = "fail",
) -> RetrievalDataset:
    """A data set of your own from lists that have one item per image, in the same order.

    Args:
        name: What the data set is called in results. images: Paths (read when they are
        needed: for more images than memory holds), PIL images, bytes of image files,
            or uint8 arrays of shape (rows, columns) or (rows, columns, 3).
        reports: Texts; a list of texts where an image has several captions. None, NaN
            and blank texts are no text: an image without one is left out.
        patients: One per image, for intervals over patients; without them each study is
        its own patient. ids: One per image, unique; by default its place in the list.
        studies: Images of one study share a report, for `same-study` and `same-labels`.
        labels: A list of words per image, for `same-labels`. split: What the part of
        the data is called. relevance: Which reports are right for an image:
        `same-text`, `strict-id`, `same-study`, `same-labels`. on_error: `skip` leaves
        out images that cannot be read, at most 5 % of them.

    Raises `DatasetError` for lists of different lengths, an id twice, and items that
    are none of these.
    """
    from ..datasets._files.lists import ImageLists, dataset_of

    lists = ImageLists(images, reports, ids, patients, studies, labels)
    return dataset_of(name, lists, split=split, relevance=relevance, on_error=on_error)


def load_dataset(name: str, **options: object) -> RetrievalDataset:
    """Open a data set by name and parameters: `synthetic-cxr`, with `prevalence=0.65`
    or as `...(prevalence=0.65)`.

    Raises `UnknownNameError` or `ConfigError` for what is not known or does not fit,
    saying what does.
    """
    check_text("name", name, "synthetic-cxr")
    if "/" in name.partition("(")[0] or name.endswith(_TABLES):
        raise UnknownNameError(
            "Expected the name of a data set, got a path. Open a table with"
            " load_dataset('table', path=...), and shards with"
            " load_dataset('webdataset', ...)."
        )
    return dataset_from_text(name, options, _catalogues().datasets).load()


def load_occluder(text: str) -> Occluder:
    """Build an occluder from its name and parameters: `patches` or `patches(grid=14,fill=mean)`."""
    check_text("text", text, "patches(grid=14,fill=mean)")
    return occluder_from_text(text, _catalogues().occluders)


def evaluate(
    model: DualEncoder | str,
    dataset: RetrievalDataset | str,
    occluder: Occluder | str,
    *,
    levels: Sequence[float] = (0, 0.1, 0.2, 0.3, 0.4, 0.5),
    seed: int = 0,
    ks: Sequence[int] = (1, 5, 10),
    device: str | None = None,
    batch_size: int | None = None,
    limit: int | None = None,
    cache_dir: str | PathLike[str] | None = None,
) -> Curve:
    """Recall@k of a model over occlusion levels: the task of arXiv 2501.09134.

    Args:
        model: A loaded model, or the name or locator of one, which is then loaded.
        dataset: An opened data set, or a name, with parameters in parentheses.
        occluder: An occluder, or a name, with parameters in parentheses. levels:
        Fractions of the image area. 0 is always measured, as the reference. seed: Each
        gives one mask layout. ks: The k of Recall@k. device: Where a named model is
        loaded. A loaded one has to be there already. batch_size: Images per batch; None
        for a size that suits the device. limit: Only the first so many pairs.
        cache_dir: Embeddings are kept there, and those that are there already are not
        encoded again.

    Returns:
        A `Curve`: `recall(k)`, `retention(k)`, `area(k)`, `half_level(k)`, `slope(k)`,
        `outcomes`, `to_dataframe()`.

    Raises:
        ArgumentError: An argument is of the wrong kind, or out of range.
        RobustError: The error of the first cell that could not be measured.
    """
    from .embeddings.store import FOLDER, EmbeddingStore
    from .pairs import pairs_of
    from .sweep.run import run_sweep

    # Whatever can be refused is refused before a model is loaded.
    hidden, wanted_ks, seed = checked_levels(levels), checked_ks(ks), checked_seed(seed)
    check_optional_whole("batch_size", batch_size)
    check_optional_whole("limit", limit)
    check_path("cache_dir", cache_dir)
    for given, check in (
        (model, check_model),
        (dataset, check_dataset),
        (occluder, check_occluder),
    ):
        if not isinstance(given, str):
            check(given)
    if isinstance(occluder, str):
        occluder = load_occluder(occluder)
    if isinstance(dataset, str):
        dataset = load_dataset(dataset)
    if isinstance(model, str):
        model = load_model(model, device="auto" if device is None else device)
    if device is not None and resolve_device(device_name(device)) != model.device:
        raise ArgumentError(
            f"Expected the device that the model is on, got device={device!r} with"
            f" {model.name} on {model.device}. Pass device to load_model instead."
        )
    cells = {level: Cell(occluder.name, level, seed) for level in hidden}
    pairs = pairs_of(dataset, limit)
    store = None if cache_dir is None else EmbeddingStore(Path(cache_dir) / FOLDER)
    asked = [(cell, occluder) for cell in cells.values()]
    precision = getattr(model, "precision", "fp32")
    result = run_sweep(
        model,
        pairs,
        asked,
        wanted_ks,
        precision=precision,
        batch_size=batch_size,
        store=store,
    )
    for note in () if store is None else store.notes:
        warnings.warn(note, stacklevel=2)
    measured = {
        0.0: result.cells[CLEAN],
        **{level: result.cells[cell] for level, cell in cells.items()},
    }
    return Curve(
        tuple(
            outcome_of(
                Case(model.name, dataset.name, occluder.name, level, seed), found
            )
            for level, found in measured.items()
        )
    )


def outcome_of(
    case: Case, found: Measured | RobustError, ranks_key: str | None = None
) -> Outcome:
    """The outcome of a measured cell; raises the error that it ended with."""
    if isinstance(found, RobustError):
        raise copy(found)  # what is kept holds no frames
    return Outcome(
        case=case,
        achieved_level=found.achieved_level,
        visible_level=found.visible_level,
        image_to_report=found.image_to_report,
        report_to_image=found.report_to_image,
        timing=found.timing,
        ranks_key=ranks_key,
    )
