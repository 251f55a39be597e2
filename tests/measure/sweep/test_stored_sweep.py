"""Sweeps that take embeddings from the store, resume after a kill, and share batches
among copies of a model.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torch import Tensor

from pytest_retrieval_robust import evaluate, load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import CLEAN, Cell
from pytest_retrieval_robust.core.errors import (
    EmbeddingError,
    ModelError,
    RobustError,
    UnreadableImageError,
)
from pytest_retrieval_robust.core.progress import Progress
from pytest_retrieval_robust.datasets._files.report_dataset import ReportDataset
from pytest_retrieval_robust.datasets.synthetic_cxr.dataset import SyntheticCxr
from pytest_retrieval_robust.measure.embeddings.keys import model_identity
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.decode import picture_digest
from pytest_retrieval_robust.measure.sweep.run import (
    Measured,
    SweepOptions,
    SweepResult,
    run_sweep,
)
from pytest_retrieval_robust.models import DualEncoder, ModelCard, Prepared
from pytest_retrieval_robust.occluders import Occluder
from pytest_retrieval_robust.occluders.area.patches import Patches

from ... import forked_commands

pytestmark = pytest.mark.usefixtures("one_thread")
IMAGES = 20
SIZE = 8
"""Images per batch."""
CELLS = tuple(
    (Cell("patches", level, 0), load_occluder("patches")) for level in (0.2, 0.5)
)


@dataclass
class Counting:
    """The embedded encoder, with a count of its inputs."""

    inner: DualEncoder
    images: int = 0
    reports: int = 0
    card: ModelCard = field(init=False)

    def __post_init__(self) -> None:
        self.card = self.inner.card

    @property
    def name(self) -> str:
        return self.inner.name

    @property
    def device(self) -> str:
        return self.inner.device

    def prepare(self, image: Image.Image) -> Prepared:
        return self.inner.prepare(image)

    def encode_images(self, pixels: Tensor) -> Tensor:
        self.images += len(pixels)
        return self.inner.encode_images(pixels)

    def encode_reports(self, texts: Sequence[str]) -> Tensor:
        self.reports += len(texts)
        return self.inner.encode_reports(texts)


@pytest.fixture(scope="module")
def encoder() -> DualEncoder:
    return load_model("tiny-cxr-clip", device="cpu")


def sweep(
    model: DualEncoder,
    store: EmbeddingStore | None,
    dataset: Any = None,
    cells: Sequence[tuple[Cell, Occluder]] = CELLS,
    size: int = SIZE,
    **options: Any,
) -> SweepResult:
    dataset = dataset or load_dataset("synthetic-cxr", pairs=IMAGES)
    return run_sweep(
        model,
        pairs_of(dataset),
        cells,
        (1, 5),
        SweepOptions(batch_size=size, store=store, **options),
    )


def measured(result: SweepResult) -> dict[Cell, Measured]:
    cells: dict[Cell, Measured] = {}
    for cell, outcome in result.cells.items():
        assert isinstance(outcome, Measured), outcome
        cells[cell] = outcome
    return cells


def same(first: SweepResult, second: SweepResult) -> bool:
    """Whether both have the same numbers; they may have taken another time."""
    if first.dataset != second.dataset or list(first.cells) != list(second.cells):
        return False
    cells = zip(measured(first).values(), measured(second).values(), strict=True)
    return all(same_cell(one, other) for one, other in cells)


def same_cell(first: Measured, second: Measured) -> bool:
    same_ranks = np.array_equal(
        first.image_ranks, second.image_ranks
    ) and np.array_equal(first.report_ranks, second.report_ranks)
    # Arrays are compared above; `==` of dataclasses cannot.
    with_same_arrays = replace(
        first,
        timing=second.timing,
        image_ranks=second.image_ranks,
        report_ranks=second.report_ranks,
    )
    return same_ranks and with_same_arrays == second


def test_a_second_sweep_encodes_nothing_of_the_data(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    first = sweep(Counting(encoder), EmbeddingStore(tmp_path))
    counting = Counting(encoder)
    model_identity(counting, "fp32")
    images, reports = counting.images, counting.reports
    store = EmbeddingStore(tmp_path)
    second = sweep(counting, store)
    # The fixed pictures and sentences by which a model is known, and no more.
    assert (counting.images, counting.reports) == (2 * images, 2 * reports)
    assert same(first, second)
    assert same(first, sweep(encoder, None))
    for cell in measured(second).values():
        assert (cell.timing.images_per_second, cell.timing.from_store) == (None, IMAGES)
    assert store.notes == []


def test_a_further_level_is_all_that_is_encoded(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    sweep(encoder, EmbeddingStore(tmp_path), cells=CELLS[:1])
    result = measured(sweep(encoder, EmbeddingStore(tmp_path)))
    assert [cell.timing.from_store for cell in result.values()] == [IMAGES, IMAGES, 0]


def test_damaged_shards_are_encoded_again_and_give_the_same(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    first = sweep(encoder, EmbeddingStore(tmp_path))
    files = sorted(EmbeddingStore(tmp_path).files(), key=lambda file: file.key)
    for file in files[::2]:
        file.path.write_bytes(file.path.read_bytes()[:-9])
    store = EmbeddingStore(tmp_path)
    assert same(first, sweep(encoder, store))
    assert len(store.notes) == 1
    assert EmbeddingStore(tmp_path).damaged() == []


def test_a_store_that_cannot_be_written_costs_no_result(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    (tmp_path / "store").write_text("a file where the folder belongs")
    store = EmbeddingStore(tmp_path / "store")
    assert same(sweep(encoder, store), sweep(encoder, None))
    assert len(store.notes) == 1


def test_another_batch_size_makes_shards_of_its_own(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    sweep(encoder, EmbeddingStore(tmp_path))
    result = measured(sweep(encoder, EmbeddingStore(tmp_path), size=SIZE + 1))
    assert {cell.timing.from_store for cell in result.values()} == {0}


def test_a_model_without_a_hash_of_its_weights_is_never_stored(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    nameless = Counting(encoder)
    nameless.card = replace(encoder.card, sha256=None)
    sweep(nameless, EmbeddingStore(tmp_path))
    assert list(EmbeddingStore(tmp_path).files()) == []


def table_of(folder: Path, **options: Any) -> Any:
    """The embedded data as files of a table."""
    drawn = load_dataset("synthetic-cxr", pairs=IMAGES)
    lines = ["image,report"]
    for number, report in enumerate(drawn.reports):
        drawn.image(number).save(folder / f"{number}.png")
        lines.append(f'{number}.png,"{report}"')
    (folder / "table.csv").write_text("\n".join(lines))
    return load_dataset(
        "table", path=str(folder / "table.csv"), on_error="skip", **options
    )


def test_an_image_exported_again_under_its_old_id_is_noticed(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    store, dataset = tmp_path / "store", table_of(tmp_path / "data")
    before = sweep(encoder, EmbeddingStore(store), dataset)
    changed = tmp_path / "data" / f"{SIZE}.png"  # the second batch's first
    Image.open(changed).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(changed)
    after = sweep(encoder, EmbeddingStore(store), dataset)
    assert after.dataset["pixel_digest"] != before.dataset["pixel_digest"]
    assert {cell.timing.from_store for cell in measured(after).values()} == {
        IMAGES - SIZE
    }
    assert same(after, sweep(encoder, None, dataset))


def test_other_colours_of_the_same_palette_indices_are_another_picture() -> None:
    grey = Image.new("P", (2, 1))
    grey.putdata([0, 1])
    grey.putpalette([0, 0, 0, 255, 255, 255])
    inverted = grey.copy()
    inverted.putpalette([255, 255, 255, 0, 0, 0])
    assert grey.tobytes() == inverted.tobytes()
    assert picture_digest(grey) == picture_digest(grey.copy())
    assert picture_digest(grey) != picture_digest(inverted)


def test_a_broken_image_is_skipped_alike_from_the_store(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    dataset = table_of(tmp_path / "data")
    (tmp_path / "data" / "3.png").write_bytes(b"\x89PNG broken")
    first = sweep(encoder, EmbeddingStore(tmp_path / "store"), dataset)
    second = sweep(encoder, EmbeddingStore(tmp_path / "store"), dataset)
    assert same(first, second)
    assert second.dataset["skipped"] == 1
    cells = measured(second).values()
    assert {cell.timing.from_store for cell in cells} == {IMAGES - 1}


@pytest.mark.parametrize("broken", [[3], list(range(SIZE))])
def test_images_that_are_whole_again_are_encoded(
    encoder: DualEncoder, tmp_path: Path, broken: list[int]
) -> None:
    (tmp_path / "data").mkdir()
    dataset = table_of(tmp_path / "data", most_skipped=0.5)
    whole = {n: (tmp_path / "data" / f"{n}.png").read_bytes() for n in broken}
    for number in broken:
        (tmp_path / "data" / f"{number}.png").unlink()
    store = tmp_path / "store"
    assert sweep(encoder, EmbeddingStore(store), dataset).dataset["skipped"] == len(
        broken
    )
    again = sweep(encoder, EmbeddingStore(store), dataset)
    cells = measured(again).values()
    assert {cell.timing.from_store for cell in cells} == {IMAGES - len(broken)}
    for number, content in whole.items():
        (tmp_path / "data" / f"{number}.png").write_bytes(content)
    after = sweep(encoder, EmbeddingStore(store), dataset)
    assert after.dataset["skipped"] == 0
    assert same(after, sweep(encoder, None, dataset))


def test_a_file_whose_digest_could_not_be_read_is_not_taken_for_another(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    """The digest of the first file fails, and its image is decoded all the same."""

    class Failing(ReportDataset):
        def image(self, index: int) -> Image.Image:
            return super().image(index)

        def content_digest(self, index: int) -> bytes:
            if index == 0:
                raise OSError("a disk that fails for a moment")
            return super().content_digest(index)

    (tmp_path / "data").mkdir()
    dataset = table_of(tmp_path / "data", most_skipped=0.5)
    values = {item.name: getattr(dataset, item.name) for item in fields(dataset)}
    failing = Failing(**values)
    store = tmp_path / "store"
    sweep(encoder, EmbeddingStore(store), failing)
    for number in (0, 1):
        path = tmp_path / "data" / f"{number}.png"
        Image.open(path).transpose(Image.Transpose.FLIP_LEFT_RIGHT).save(path)
    flipped = sweep(encoder, EmbeddingStore(store), failing)
    assert same(flipped, sweep(encoder, None, failing))
    (tmp_path / "data" / "0.png").unlink()
    missing = sweep(encoder, EmbeddingStore(store), failing)
    assert missing.dataset["skipped"] == 1
    assert same(missing, sweep(encoder, None, failing))
    # From now on the missing file is known, and as long as it is missing it is stored.
    again = sweep(encoder, EmbeddingStore(store), failing)
    assert same(again, missing)
    cells = measured(again).values()
    assert {cell.timing.from_store for cell in cells} == {IMAGES - 1}


def test_a_disk_that_failed_for_a_moment_is_not_remembered(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    class Failing(ReportDataset):
        """Knows the content of an image that it fails to decode while a file exists."""

        def image(self, index: int) -> Image.Image:
            if index == 3 and (tmp_path / "failing").exists():
                raise UnreadableImageError("Expected a disk, got none. Wait.")
            return super().image(index)

        def content_digest(self, index: int) -> bytes:
            return super().content_digest(index)

    (tmp_path / "data").mkdir()
    dataset = table_of(tmp_path / "data")
    values = {item.name: getattr(dataset, item.name) for item in fields(dataset)}
    failing = Failing(**values)
    store = tmp_path / "store"
    (tmp_path / "failing").touch()
    assert sweep(encoder, EmbeddingStore(store), failing).dataset["skipped"] == 1
    (tmp_path / "failing").unlink()
    after = sweep(encoder, EmbeddingStore(store), failing)
    assert after.dataset["skipped"] == 0
    assert same(after, sweep(encoder, None, dataset))


def test_an_image_that_could_not_be_read_once_is_read_again(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    (tmp_path / "data").mkdir()
    dataset, broken = table_of(tmp_path / "data"), tmp_path / "data" / "3.png"

    class Flaky(ReportDataset):
        """Fails to decode one image, whose bytes are whole."""

        def image(self, index: int) -> Image.Image:
            if index == 3:
                raise UnreadableImageError(
                    f"Expected a whole image, got none: {broken.name}. Copy it again."
                )
            return super().image(index)

    values = {item.name: getattr(dataset, item.name) for item in fields(dataset)}
    flaky = Flaky(**values)
    assert (
        sweep(encoder, EmbeddingStore(tmp_path / "store"), flaky).dataset["skipped"]
        == 1
    )
    assert same(
        sweep(encoder, EmbeddingStore(tmp_path / "store"), dataset),
        sweep(encoder, None, dataset),
    )


def test_a_data_set_that_makes_its_own_pixels_is_not_taken_for_another(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    class Inverted(SyntheticCxr):
        """Inherits what is said of the content, and shows something else."""

        def image(self, index: int) -> Image.Image:
            return ImageOps.invert(super().image(index))

    class Wrapped:
        def __getattr__(self, name: str) -> Any:
            return getattr(plain, name)

        def image(self, index: int) -> Image.Image:
            return ImageOps.invert(plain.image(index))

    plain = load_dataset("synthetic-cxr", pairs=IMAGES)
    sweep(encoder, EmbeddingStore(tmp_path), plain)
    for dataset in (Inverted(pairs=IMAGES), Wrapped()):
        with_store = sweep(encoder, EmbeddingStore(tmp_path), dataset)
        assert same(with_store, sweep(encoder, None, dataset))
    again = measured(sweep(encoder, EmbeddingStore(tmp_path), Inverted(pairs=IMAGES)))
    # Known by its decoded pixels.
    assert {cell.timing.from_store for cell in again.values()} == {IMAGES}


def test_a_model_guided_mask_depends_on_the_gallery(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    cells = [(Cell("salient(grid=2)", 0.5, 0), load_occluder("salient(grid=2)"))]
    dataset = load_dataset("synthetic-cxr", pairs=SIZE)

    class Texts:
        """The same images, with a first report of its own."""

        def __init__(self, first: str) -> None:
            self.reports = (first, *dataset.reports[1:])

        def __getattr__(self, name: str) -> Any:
            return getattr(dataset, name)

    taken = []
    for first in (
        "The lungs are clear.",
        "The lungs are clear.",
        "There is a large effusion.",
    ):
        result = measured(sweep(encoder, EmbeddingStore(tmp_path), Texts(first), cells))
        taken.append([cell.timing.from_store for cell in result.values()])
    assert taken == [[0, 0], [SIZE, SIZE], [SIZE, 0]]


def test_a_cell_that_fails_is_not_stored_and_spoils_no_other(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    class Failing(Counting):
        def encode_images(self, pixels: Tensor) -> Tensor:
            black = (pixels == 0).float().mean() > 0.45
            return super().encode_images(pixels) * (float("nan") if black else 1.0)

    result = sweep(Failing(encoder), EmbeddingStore(tmp_path))
    assert isinstance(result.cells[CELLS[1][0]], EmbeddingError)
    shards = list(EmbeddingStore(tmp_path).files())
    batches = -(-IMAGES // SIZE)
    # Of the reports, of level 0 and of the level that did not fail.
    assert len(shards) == 3 * batches


def test_copies_of_a_model_share_the_batches_and_give_the_same_bits(
    encoder: DualEncoder,
) -> None:
    first = Counting(encoder)
    second = Counting(encoder)
    calls = []

    def copies() -> list[DualEncoder]:
        calls.append(True)
        return [second]

    shared = sweep(first, None, size=3, copies=copies)
    assert same(shared, sweep(encoder, None, size=3))
    assert calls == [True]
    assert second.images > IMAGES
    assert first.images > IMAGES


def test_copies_are_not_asked_for_where_all_is_stored(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    sweep(encoder, EmbeddingStore(tmp_path))

    def copies() -> list[DualEncoder]:
        raise AssertionError("loaded for nothing")

    sweep(encoder, EmbeddingStore(tmp_path), copies=copies)


@pytest.mark.parametrize("where", ["similarity", "to the host"])
def test_a_device_that_is_lost_is_said_and_keeps_what_is_stored(
    encoder: DualEncoder, tmp_path: Path, where: str
) -> None:
    class Lost(Tensor):
        """Rows on a device that is gone: whatever is asked of them fails."""

        @classmethod
        def __torch_function__(cls, *_: Any, **__: Any) -> Any:
            raise RuntimeError("CUDA error: unspecified launch failure\nmore lines")

    class Failing(Counting):
        lost = False

        def encode_images(self, pixels: Tensor) -> Tensor:
            rows = super().encode_images(pixels)
            if where == "to the host" and self.lost:
                return rows.as_subclass(Lost)
            return rows

        def similarity(self, queries: Tensor, gallery: Tensor) -> Tensor:
            if self.lost:
                raise RuntimeError("CUDA error: unspecified launch failure\nmore lines")
            return queries @ gallery.T

    model, cells = Failing(encoder), CELLS[:1]
    whole = sweep(model, EmbeddingStore(tmp_path), cells=cells)
    model.lost = True
    result = sweep(
        model, EmbeddingStore(tmp_path), cells=cells if where == "similarity" else CELLS
    )
    failed = list(result.cells.values())[-1]
    assert isinstance(failed, RobustError)
    assert "got RuntimeError" in str(failed)
    assert "Look at the device and at what else runs on it" in str(failed)
    assert "more lines" not in str(failed)
    model.lost = False
    assert same(sweep(model, EmbeddingStore(tmp_path), cells=cells), whole)


def test_memory_that_runs_out_while_hiding_is_the_cells_error(
    encoder: DualEncoder,
) -> None:
    @dataclass(frozen=True)
    class Greedy(Patches):
        family: ClassVar[str] = "greedy"

        def occlude(self, *_: Any, **__: Any) -> Tensor:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")

    cell = Cell("greedy", 0.3, 0)
    result = sweep(encoder, None, cells=[*CELLS, (cell, Greedy())])
    assert isinstance(result.cells[cell], ModelError)
    assert isinstance(result.cells[CELLS[0][0]], Measured)


def test_an_interrupted_run_waits_for_no_batch_that_is_not_begun(
    encoder: DualEncoder,
) -> None:
    slow = Counting(encoder)

    class Interrupting(Counting):
        def encode_images(self, pixels: Tensor) -> Tensor:  # noqa: ARG002 - it fails before
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(Interrupting(encoder), None, size=2, copies=lambda: [slow])
    # Of ten batches of two, those under way, and a warm-up.
    assert slow.images <= 2 * 2 * 3 + 4


def test_memory_runs_out_once_and_not_in_every_batch() -> None:
    class Small(Counting):
        failures = 0

        def encode_images(self, pixels: Tensor) -> Tensor:
            if len(pixels) > 3:
                Small.failures += 1
                raise torch.OutOfMemoryError("too many")
            return super().encode_images(pixels)

    encoder = load_model("tiny-cxr-clip", device="cpu")
    sweep(Small(encoder), None)
    # 8 images, 4, then 2 at a time.
    assert Small.failures <= 2


NURSERY = """
import os, random, signal, sys, time
from pathlib import Path
from pytest_retrieval_robust import load_dataset, load_model, load_occluder
from pytest_retrieval_robust.core.cases import Cell
from pytest_retrieval_robust.measure.embeddings.store import EmbeddingStore
from pytest_retrieval_robust.measure.pairs import pairs_of
from pytest_retrieval_robust.measure.sweep.run import SweepOptions, run_sweep
import numpy as np, torch
torch.set_num_threads(1)
model = load_model("tiny-cxr-clip", device="cpu")
dataset = load_dataset("synthetic-cxr", pairs=24)
for number in range(24):
    dataset.image(number)
patches = load_occluder("patches")
cells = [(Cell("patches", level, 0), patches) for level in (0.1, 0.2, 0.3, 0.4, 0.5)]

def sweep(folder):
    store = EmbeddingStore(folder)
    options = SweepOptions(batch_size=8, store=store)
    result = run_sweep(model, pairs_of(dataset), cells, (1,), options)
    ranks = []
    for cell in result.cells.values():
        ranks += [cell.image_ranks, cell.report_ranks]
    stored = [cell.timing.from_store for cell in result.cells.values()]
    return np.stack(ranks).tobytes(), stored

random.seed(int(sys.argv[2]))
begin = time.monotonic()
whole, _ = sweep(Path(sys.argv[1]) / "undisturbed")
seconds = time.monotonic() - begin
folder = Path(sys.argv[1]) / "killed"

def files():
    return sum(path.is_file() for path in folder.rglob("*"))

killed = 0
for attempt in range(8):
    before = files()
    child = os.fork()
    if child == 0:
        sweep(folder)
        os._exit(0)
    ended, status = 0, 0
    # Every other one has stored something: on a busy machine no clock tells when.
    while attempt % 2 and not ended and files() == before:
        time.sleep(0.001)
        ended, status = os.waitpid(child, os.WNOHANG)
    if not ended:
        time.sleep(random.uniform(0, 0.3 * seconds))
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
    killed += os.WIFSIGNALED(status)
resumed, stored = sweep(folder)
damaged = EmbeddingStore(folder).damaged()
print(killed, resumed == whole, sum(stored), damaged)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs fork and SIGKILL")
def test_a_sweep_killed_again_and_again_ends_with_the_same_bytes(
    tmp_path: Path,
) -> None:
    command = ["python", "-c", NURSERY, str(tmp_path), "0"]
    done = forked_commands.run(command, tmp_path)
    assert done.status == 0, done.printed
    killed, same_bytes, stored, *damaged = done.printed.splitlines()[-1].split()
    assert (same_bytes, damaged) == ("True", ["[]"])
    assert int(killed) >= 3
    assert int(stored) > 0, "nothing that a killed run had stored was used"


def test_progress_counts_every_encoding_once(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    for is_stored in (False, True):
        steps: list[Progress] = []
        sweep(encoder, EmbeddingStore(tmp_path), tell=steps.append)
        done = [step.done for step in steps]
        last = steps[-1]
        assert done == sorted(done)
        assert (last.done, last.total) == (IMAGES * 3, IMAGES * 3)
        # The first batch warms up, and does not count as encoded.
        assert last.encoded == (0 if is_stored else IMAGES * 3 - steps[0].done)
        assert {step.level for step in steps} == {0.0, 0.2, 0.5}
        assert (last.seconds_left is None) == is_stored


def test_evaluate_keeps_embeddings_where_it_is_told(
    encoder: DualEncoder, tmp_path: Path
) -> None:
    dataset = load_dataset("synthetic-cxr", pairs=IMAGES)
    patches = load_occluder("patches")
    options: dict[str, Any] = {"levels": (0.3,), "ks": (1,)}
    plain = evaluate(encoder, dataset, patches, **options)
    cold, warm = (
        evaluate(encoder, dataset, patches, **options, cache_dir=tmp_path)
        for _ in range(2)
    )
    assert plain.recall(1) == cold.recall(1) == warm.recall(1)
    stored = [outcome.timing.from_store for outcome in warm.outcomes]
    assert stored == [IMAGES, IMAGES]


def test_the_clean_cell_comes_first(encoder: DualEncoder) -> None:
    assert list(sweep(encoder, None).cells) == [CLEAN, *(cell for cell, _ in CELLS)]
