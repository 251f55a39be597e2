"""The Python interface: load a model, a data set and an occluder, and measure a curve."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection, Iterable, Sequence
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
    precision_of,
)
from ..models.command import DEFAULT_TIMEOUT, command_entry
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
    check_texts,
    checked_command,
    checked_ks,
    checked_levels,
    checked_seconds,
    checked_seed,
    device_name,
)
from .from_text import dataset_from_text, metric_from_text, occluder_from_text

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..datasets import RetrievalDataset
    from .sweep.results import Measured


_TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".gz", ".tar")


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
    """Load a model by catalogue name or locator.

    Args:
        name: A name of the catalogue, or a locator: `hf:ORG/NAME[@REV]`,
            `open_clip:ARCH/TAG` or `local-dir:PATH`.
        checkpoint: Your own file or folder, in the layout that the named model is
            published in; its variant is read from the file. Without it the published
            weights are taken from the caches, or fetched if `download`.
        tokenizer: A folder or hub repository.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best one.
        precision: `fp32`, `bf16` or `fp16`.
        download: Whether missing weights may be fetched.
        cache_dir: Where plain weight files lie; by default the platform's cache.
        options: What the model's entry accepts (`preprocessing`, `context_length`).

    Raises:
        UnknownNameError: No model has that name.
        ConfigError: The model does not have an option.
        NotOnThisMachineError: Weights are missing.
        ModelError: Weights are damaged, or another model's.
    """
    check_text("name", name, "tiny-cxr-clip")
    known_word("precision", precision, get_args(Precision))
    check_path("checkpoint", checkpoint)
    check_path("tokenizer", tokenizer)
    check_path("cache_dir", cache_dir)
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

    Args:
        name: What the model is called in results.
        encode_images: Takes float32 (B, 3, S, S) on the 0..1 scale and returns (B, D)
            rows: an array, a tensor or nested lists. Rows need not be of length 1. The
            function has to normalise pixels with the model's own mean and deviation.
        encode_reports: Takes a list of B texts and returns (B, D) rows.
        size: S, the side of the prepared square, if there is no `prepare`: the short
            side is resized to it (bicubic), and the middle square is kept.
        prepare: Maps a PIL image to `Prepared`.
        source: Where the model comes from, for its card.

    Raises:
        EmbeddingError: A function returned rows of a wrong shape.
    """
    from ..models._formats.callables import CallableEncoder

    check_text("name", name, "our-candidate")
    check_function("encode_images", encode_images)
    check_function("encode_reports", encode_reports)
    check_function("prepare", prepare, optional=True)
    check_optional_whole("size", size)
    card = ModelCard(source=source, input_size=size)
    return CallableEncoder(
        name, encode_images, encode_reports, size=size, prepare=prepare, card=card
    )


def encoder_from_command(
    name: str,
    command: Sequence[str | PathLike[str]],
    *,
    folder: str | PathLike[str] = ".",
    device: str = "auto",
    precision: Precision = "fp32",
    timeout: float = DEFAULT_TIMEOUT,
    prepare: Callable[[Image], Prepared] | None = None,
) -> DualEncoder:
    """A model that another process serves, with a Python and libraries of its own.

    `retrieval-robust serve --write serve.py` writes the file to fill in. The process
    ends with the model, or with this process.

    Args:
        name: What the model is called in results.
        command: A program and its arguments: `["/envs/ours/bin/python", "serve.py"]`.
        folder: The working folder of the process.
        device: What it is asked to compute on: `cpu`, `cuda`, `cuda:1`, `mps` or
            `auto`. `model.device` is `cpu` all the same, which is where pixels wait.
        precision: `fp32`, `bf16` or `fp16`.
        timeout: Seconds that the start, and each answer, may take.
        prepare: Maps a PIL image to `Prepared`, in place of what the process asks for.

    Raises:
        ModelError: It does not start, or does not greet as the protocol says.
        NotOnThisMachineError: The program is not there.
    """
    check_text("name", name, "our-candidate")
    known_word("precision", precision, get_args(Precision))
    check_path("folder", folder)
    check_function("prepare", prepare, optional=True)
    arguments = checked_command(command)
    checked_timeout = checked_seconds("timeout", timeout)
    entry = command_entry(
        name, arguments, Path(folder).resolve(), checked_timeout, prepare
    )
    request = LoadRequest(resolve_device(device_name(device)), precision, name=name)
    return load_entry(entry, request)


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
        name: What the data set is called in results.
        images: Paths (read when they are needed: for more images than memory holds),
            PIL images, bytes of image files, or uint8 arrays of shape (rows, columns)
            or (rows, columns, 3).
        reports: Texts; a list of texts if an image has several captions. An image
            without a text (None, NaN or blank) is left out.
        patients: One per image, for intervals over patients; without them each study is
            its own patient.
        ids: One per image, unique; by default its place in the list.
        studies: Images of one study share a report, for `same-study` and `same-labels`.
        labels: A list of words per image, for `same-labels`.
        split: What the part of the data is called.
        relevance: Which reports are right for an image: `same-text`, `strict-id`,
            `same-study` or `same-labels`.
        on_error: `skip` leaves out images that cannot be read, at most 5 % of them.

    Raises:
        DatasetError: Lists differ in length, an id is there twice, or an item is none of
            these.
    """
    from ..datasets._files.lists import ImageLists, dataset_of

    lists = ImageLists(images, reports, ids, patients, studies, labels)
    return dataset_of(name, lists, split=split, relevance=relevance, on_error=on_error)


def load_dataset(name: str, **options: object) -> RetrievalDataset:
    """Open a data set by name, with parameters by keyword or in parentheses.

    `synthetic-cxr(prevalence=0.65)` is `synthetic-cxr` with `prevalence=0.65`. Raises
    `UnknownNameError` for an unknown name and `ConfigError` for an unfit parameter.
    """
    check_text("name", name, "synthetic-cxr")
    if "/" in name.partition("(")[0] or name.endswith(_TABLE_SUFFIXES):
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
    metrics: Collection[str] = (),
) -> Curve:
    """Recall@k of a model over occlusion levels: the task of arXiv 2501.09134.

    Args:
        model: A loaded model, or the name or locator of one, which is then loaded.
        dataset: An opened data set, or a name, with parameters in parentheses.
        occluder: An occluder, or a name, with parameters in parentheses.
        levels: Fractions of the image area. 0 is always measured, as the reference.
        seed: Each seed gives one mask layout.
        ks: The k of Recall@k.
        device: Where a named model is loaded. A loaded one has to be there already.
        batch_size: Images per batch; None for a size that suits the device.
        limit: Only the first so many pairs.
        cache_dir: Embeddings are kept there, and those that are there already are not
            encoded again.
        metrics: Registered metrics to compute beside Recall@k: `("hit-rate(k=3)",)`.
            `outcome.scores(direction).metrics` has their values.

    Returns:
        A `Curve`: `recall(k)`, `retention(k)`, `area(k)`, `half_level(k)`, `slope(k)`,
        `outcomes`, `to_dataframe()`.

    Raises:
        ArgumentError: An argument is of the wrong kind, or out of range.
        RobustError: The error of the first cell that could not be measured.
    """
    from .embeddings.store import FOLDER, EmbeddingStore
    from .pairs import pairs_of
    from .sweep.run import SweepOptions, run_sweep

    # What can be refused is refused before a model is loaded.
    hidden_levels = checked_levels(levels)
    ks = checked_ks(ks)
    seed = checked_seed(seed)
    check_optional_whole("batch_size", batch_size)
    check_optional_whole("limit", limit)
    check_path("cache_dir", cache_dir)
    check_texts("metrics", metrics, ("mrr",))
    catalogue = _catalogues().metrics
    named_metrics = [metric_from_text(text, catalogue) for text in metrics]
    _check_objects(model, dataset, occluder)
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
    cells = [Cell(occluder.name, level, seed) for level in hidden_levels]
    store = None
    if cache_dir is not None:
        store = EmbeddingStore(Path(cache_dir) / FOLDER)
    result = run_sweep(
        model,
        pairs_of(dataset, limit),
        [(cell, occluder) for cell in cells],
        ks,
        SweepOptions(
            precision=precision_of(model),
            batch_size=batch_size,
            store=store,
            metrics=named_metrics,
        ),
    )
    # Nothing that goes wrong with the store ends a measurement.
    if store is not None:
        for note in store.notes:
            warnings.warn(note, stacklevel=2)
    outcomes = []
    for cell in (CLEAN, *cells):
        # Level 0 is recorded as that of this occluder: it is the curve's first point.
        case = Case(model.name, dataset.name, occluder.name, cell.level, seed)
        outcomes.append(outcome_of(case, result.cells[cell]))
        raise_metric_error(result.cells[cell])
    return Curve(tuple(outcomes))


def _check_objects(
    model: DualEncoder | str,
    dataset: RetrievalDataset | str,
    occluder: Occluder | str,
) -> None:
    """Check what is not a name."""
    if not isinstance(model, str):
        check_model(model)
    if not isinstance(dataset, str):
        check_dataset(dataset)
    if not isinstance(occluder, str):
        check_occluder(occluder)


def outcome_of(
    case: Case, result: Measured | RobustError, ranks_key: str | None = None
) -> Outcome:
    """The outcome of a measured cell; raises the error that it ended with."""
    if isinstance(result, RobustError):
        # A copy: a raised error collects frames, which hold a model and a batch.
        raise copy(result)
    return Outcome(
        case=case,
        achieved_level=result.achieved_level,
        visible_level=result.visible_level,
        image_to_report=result.image_to_report,
        report_to_image=result.report_to_image,
        timing=result.timing,
        ranks_key=ranks_key,
    )


def raise_metric_error(result: Measured | RobustError) -> None:
    """Raise the error of a metric that a measured cell lacks, if there is one."""
    if not isinstance(result, RobustError) and result.metric_error is not None:
        raise copy(result.metric_error)
