"""The Python interface: load a model, a data set, an occluder, a corruption or a text noise,
or make one of your own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from copy import copy
from functools import cache
from os import PathLike, fspath
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ..core.cases import Case
from ..core.catalogue import Catalogues
from ..core.device import resolve_device
from ..core.errors import RobustError, UnknownNameError
from ..core.outcomes import Outcome
from ..core.strata import SMALLEST_GROUP
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
from ..models.command import DEFAULT_TIMEOUT, command_entry
from ..models.locators import entry_for, is_locator
from ..occluders import Occluder
from .arguments import (
    check_function,
    check_optional_whole,
    check_path,
    check_text,
    checked_command,
    checked_seconds,
    device_name,
)
from .from_text import dataset_from_text, occluder_from_text
from .perturbation_text import (
    corruption_from_text,
    perturbation_from_text,
    text_noise_from_text,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image

    from ..corruptions import Corruption
    from ..datasets import RetrievalDataset
    from ..texts.noise import TextNoise
    from .sweep.changes import Perturbation
    from .sweep.results import Measured


_TABLE_SUFFIXES = (".csv", ".tsv", ".jsonl", ".parquet", ".gz", ".tar")


@cache
def catalogues() -> Catalogues:
    return Catalogues()


def entry_of(name: str) -> ModelEntry:
    """The entry of a model's name or locator; `UnknownNameError` says what is close."""
    check_text("name", name, "tiny-cxr-clip")
    if is_locator(name):
        return entry_for(name)
    entry: ModelEntry = catalogues().models.get(name)
    return entry


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
            `open_clip:ARCH/TAG`, `local-dir:PATH`, or a path that exists.
        checkpoint: Your own file or folder, in the layout that the named model is
            published in; its variant is read from the file. Without it the published
            weights are taken from the caches, or fetched if `download`.
        tokenizer: A folder or hub repository.
        device: `cpu`, `cuda`, `cuda:1`, `mps`, or `auto` for the best one.
        precision: `fp32`, `bf16` or `fp16`.
        download: Whether missing weights may be fetched.
        cache_dir: Where plain weight files lie; by default the platform's cache.
        options: What the model's entry accepts: `preprocessing`, `context_length`,
            `image_processor` (a folder or repository), `weights` (the name of one of
            several sets of weights in a file, such as `ema`).

    Raises:
        UnknownNameError: No model has that name.
        ConfigError: The model does not have an option.
        NotOnThisMachineError: Weights are missing.
        ModelError: Weights are damaged, or another model's.
    """
    entry = entry_of(name)
    known_word("precision", precision, get_args(Precision))
    check_path("checkpoint", checkpoint)
    check_path("tokenizer", tokenizer)
    check_path("cache_dir", cache_dir)
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
    answer_timeout: float = DEFAULT_TIMEOUT,
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
        answer_timeout: Seconds that the start, and each answer, may take.
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
    seconds = checked_seconds("answer_timeout", answer_timeout)
    entry = command_entry(name, arguments, Path(folder).resolve(), seconds, prepare)
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
    strata: Mapping[str, Iterable[Any]] | None = None,
    split: str = "all",
    relevance: str = "same-text",
    on_error: str = "fail",
    group_by: Sequence[str] = (),
    smallest_group: int = SMALLEST_GROUP,
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
        strata: What else is known of the images: lists by name, `{"sex": [...],
            "scanner": [...]}`, with a word or number per image. `dataset.strata` has
            them for the images that are used.
        split: What the part of the data is called.
        relevance: Which reports are right for an image: `same-text`, `strict-id`,
            `same-study` or `same-labels`.
        on_error: `skip` leaves out images that cannot be read, at most 5 % of them.
        group_by: Names of `strata`, `finding` or `length`: the groups of images and
            reports that a run tells apart and saves.
        smallest_group: Groups of fewer patients are merged into one (1 or more).

    Raises:
        UnknownNameError: `group_by` names no stratum.
        DatasetError: Lists differ in length, an id is there twice, or an item is none of
            these.
    """
    from ..datasets._files.lists import ImageLists, dataset_of

    lists = ImageLists(images, reports, ids, patients, studies, labels, strata)
    return dataset_of(
        name,
        lists,
        split=split,
        relevance=relevance,
        on_error=on_error,
        group_by=group_by,
        smallest_group=smallest_group,
    )


def load_dataset(name: str, **options: object) -> RetrievalDataset:
    """Open a data set by name, with parameters by keyword or in parentheses.

    `synthetic-cxr(prevalence=0.65)` is `synthetic-cxr` with `prevalence=0.65`. Raises
    `UnknownNameError` for an unknown name and `ConfigError` for an unfit parameter.
    """
    check_text("name", name, "synthetic-cxr")
    if "/" in name.partition("(")[0] or name.endswith(_TABLE_SUFFIXES):
        raise UnknownNameError(
            "Expected the name of a data set, got a path. Open a table with"
            " load_dataset('table', path=...), shards with 'webdataset', and a folder of"
            " images with texts beside them with 'image-folder'."
        )
    return dataset_from_text(name, options, catalogues().datasets).load()


def load_occluder(text: str) -> Occluder:
    """Build an occluder from its name and parameters: `patches` or `patches(grid=14,fill=mean)`."""
    check_text("text", text, "patches(grid=14,fill=mean)")
    return occluder_from_text(text, catalogues().occluders)


def load_corruption(text: str) -> Corruption:
    """Build a corruption of images from its name and parameters: `contrast` or
    `jpeg(preset=medmnist-c)`.
    """
    check_text("text", text, "contrast")
    return corruption_from_text(text, catalogues().corruptions)


def load_text_noise(text: str) -> TextNoise:
    """Build a noise of reports from its name and parameters: `case`."""
    check_text("text", text, "case")
    return text_noise_from_text(text, catalogues().text_noise)


def load_perturbation(text: str) -> Perturbation:
    """Build the occluder, corruption or text noise of that name, where one catalogue
    alone has it.
    """
    check_text("text", text, "patches(grid=14,fill=mean)")
    return perturbation_from_text(text, catalogues())


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
        altered=result.altered,
    )


def raise_metric_error(result: Measured | RobustError) -> None:
    """Raise the error of a metric that a measured cell lacks, if there is one."""
    if not isinstance(result, RobustError) and result.metric_error is not None:
        raise copy(result.metric_error)
