"""Every Python block of a page is run, with stand-ins for what is the user's own."""

from __future__ import annotations

import re
import sys
import tarfile
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, TypeVar

import numpy as np
import pytest
import torch

from pytest_retrieval_robust import (
    Catalogues,
    Curve,
    LoadRequest,
    ModelEntry,
    evaluate,
)
from pytest_retrieval_robust.measure.from_text import metric_from_text
from pytest_retrieval_robust.models import published
from pytest_retrieval_robust.run.selected_models import SelectedModel

from ..datasets.files import trees
from ..models.served.servers import helper_file, started
from ..saved_runs import make_run
from . import foreign_libraries
from .conftest import ENCODER, STUDIES
from .pages import block, inline_code, read

Names = dict[str, Any]
CHEXPERT_LABELS = (
    "Atelectasis",
    "Cardiomegaly",
    "Consolidation",
    "Edema",
    "Pleural Effusion",
)
CHEXPERT = [
    (1, 0, 0, 0, 0, "Atelectasis."),
    (0, 1, 0, 0, 0, "A large heart."),
    (0, 0, 1, 0, 0, "Consolidation."),
    (0, 0, 0, 1, 0, "Edema."),
]
PAIRS = "synthetic-cxr(pairs=24)"
OUR_NETWORK = """
import numpy as np


def tokenize(texts):
    return np.array([[len(text), 1.0] for text in texts])


class Network:
    def encode_image(self, pixels):
        return pixels.mean(axis=(2, 3)) @ np.ones((3, 512))

    def encode_text(self, tokens):
        return tokens @ np.ones((2, 512))


def open_network(weights, device):
    return Network()
"""
"""What the page's functions import."""
F = TypeVar("F", bound=Callable[..., None])


CHECKED: set[tuple[str, str, int]] = {
    # `conftest.project` measures these as files of its suite.
    ("README.md", "python", 0),
    ("README.md", "python", 1),
    ("docs/breaking.md", "python", 1),
    ("docs/fixtures.md", "python", 0),
    # `models/served/test_medclip_package` serves it, where the package is.
    ("docs/command.md", "python", 1),
}
"""The blocks that a test of this module, or the shared run, runs."""


def runs(page: str, *numbers: int) -> Callable[[F], F]:
    """Note that the decorated test runs these blocks."""
    CHECKED.update((page, "python", number) for number in numbers)
    return lambda test: test


def run(page: str, number: int, names: Names, **replaced: str) -> Names:
    """Run a block; `replaced` makes it smaller, word for word."""
    shown = block(page, "python", number)
    text = shown.text
    for old, new in replaced.items():
        assert text.count(f"{old}=") == 1, old
        text = re.sub(rf"\b{old}=\w+", f"{old}={new}", text)
    names.setdefault("__name__", "page")
    exec(compile(text, shown.place, "exec", dont_inherit=True), names)
    return names


def stand_ins(text: str) -> Names:
    names: Names = {}
    exec(text, names)
    return names


def registered(names: Names) -> Catalogues:
    catalogues = Catalogues()
    names["pytest_robust_register"](catalogues)
    return catalogues


def measure(entry: ModelEntry, request: LoadRequest | None = None) -> None:
    """A whole, small evaluation of the entry's model."""
    model = entry.load(request or LoadRequest())
    assert model.name == entry.name
    curve = evaluate(model, PAIRS, "patches", levels=(0.3,), ks=(10,))
    assert curve.levels == (0.0, 0.3)


@runs("docs/extending.md", 0)
def test_an_entry_point_registers_a_model() -> None:
    names = stand_ins(ENCODER)
    run("docs/extending.md", 0, names)
    module = ModuleType("our_package.robustness")
    module.__dict__.update(names)
    shown = block("docs/extending.md", "toml").text
    (value,) = re.findall(r'^ours = "(.*)"$', shown, re.MULTILINE)
    (group,) = re.findall(r'entry-points\."(.*?)"', shown)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "our_package", ModuleType("our_package"))
        patch.setitem(sys.modules, "our_package.robustness", module)
        register = EntryPoint("ours", value, group).load()
    catalogue = Catalogues().models
    register(catalogue)
    assert group.endswith(".models")
    measure(catalogue.get("ours"))


@runs("docs/extending.md", 1)
def test_a_conftest_registers_a_model() -> None:
    encoder = stand_ins(ENCODER)
    session = SimpleNamespace(
        embed_images=encoder["embed_images"], embed_texts=encoder["embed_texts"]
    )
    names = run("docs/extending.md", 1, {"connect": lambda: session})
    measure(registered(names).models.get("ours"))


@runs("docs/command.md", 0)
def test_the_functions_of_the_page_serve_a_model(tmp_path: Path) -> None:
    (tmp_path / "our_network.py").write_text(OUR_NETWORK)
    (tmp_path / "weights.pt").write_text("weights")
    file = helper_file(tmp_path, block("docs/command.md", "python", 0).text)
    encoder = started(file)
    assert encoder.encode_reports(["a", "bc"]).shape == (2, 512)
    assert encoder.encode_images(torch.zeros(1, 3, 224, 224)).shape == (1, 512)
    assert encoder.card.sha256 is not None


class Network:
    """What an encoder of the user's own looks like with torch."""

    def encode_image(self, pixels: torch.Tensor) -> torch.Tensor:
        return pixels.float().mean(dim=(2, 3)) + 1

    def encode_text(self, tokens: torch.Tensor) -> torch.Tensor:
        return tokens.float().expand(-1, 3).cos()


class OnnxSession:
    """The one method of ONNX Runtime's session that the pages use."""

    def __init__(self, wanted: str) -> None:
        self.wanted = wanted

    def run(self, outputs: None, inputs: Mapping[str, Any]) -> list[Any]:
        assert outputs is None
        (values,) = inputs.values()
        assert [*inputs] == [self.wanted]
        assert isinstance(values, np.ndarray)
        if values.ndim == 4:
            return [values.mean(axis=(2, 3)) + 1]
        return [np.cos(np.repeat(values, 3, axis=1))]


MEAN = np.full((3, 1, 1), 0.5, np.float32)
STD = np.full((3, 1, 1), 0.25, np.float32)


def torch_names() -> Names:
    mean, std = torch.from_numpy(MEAN), torch.from_numpy(STD)
    return {"torch": torch, "model": Network(), "mean": mean, "std": std}


def encode_with(names: Names) -> None:
    """The two functions as a model."""
    names["load"] = stand_ins(ENCODER)["embed_texts"]
    pixels = np.random.default_rng(0).random((2, 3, 224, 224), np.float32)
    assert np.asarray(names["embed_images"](pixels)).shape == (2, 3)
    assert np.asarray(names["embed_texts"](["one", "three"])).shape == (2, 3)


@runs("docs/extending.md", 2)
def test_functions_with_torch_embed() -> None:
    names = torch_names()
    names["tokenizer"] = lambda texts: torch.tensor([[len(text)] for text in texts])
    encode_with(run("docs/extending.md", 2, names))


@runs("docs/extending.md", 3)
def test_functions_with_onnx_embed() -> None:
    names: Names = {"mean": MEAN, "std": STD}
    names["images"] = OnnxSession("pixels")
    names["reports"] = OnnxSession("ids")
    names["tokenizer"] = lambda texts: np.array([[len(text)] for text in texts])
    encode_with(run("docs/extending.md", 3, names))


@runs("docs/extending.md", 4)
def test_a_class_of_ones_own_is_measured() -> None:
    numbers = torch.arange(224.0)
    network = SimpleNamespace(
        encode_image=lambda pixels: pixels.mean(dim=(1, 2)),
        encode_text=lambda texts: torch.stack(
            [torch.cos(len(text) * numbers) for text in texts]
        ),
    )
    names = run("docs/extending.md", 4, {"open_network": lambda _: network})
    measure(ModelEntry("ours", "our candidate", names["load"]))


@runs("docs/extending.md", 5)
def test_a_conftest_registers_a_data_set() -> None:
    names = run("docs/extending.md", 5, stand_ins(STUDIES))
    dataset = registered(names).datasets.get("ours").load()
    assert dataset.name == "ours"
    assert len(dataset.image_ids) == 12
    assert len(set(dataset.patients)) == 6


@runs("docs/extending.md", 6)
def test_an_occluder_of_the_page_hides() -> None:
    names = run("docs/extending.md", 6, {})
    registered(names)
    occluder = names["FromBelow"](fill="mean")
    curve = evaluate("tiny-cxr-clip", PAIRS, occluder, levels=(0.3,), ks=(1,))
    assert curve.outcomes[0].case.occluder == "from-below(fill=mean)"


@runs("docs/extending.md", 7)
def test_a_conftest_registers_a_metric() -> None:
    names = run("docs/extending.md", 7, {})
    metrics = registered(names).metrics
    metric = metric_from_text("hit-rate(k=3)", metrics)
    assert metric.value(np.array([1, 3, 4, 9])) == 0.5


@runs("docs/extending.md", 8)
def test_a_metric_of_the_page_is_one_of_ranks() -> None:
    rows = np.eye(5, dtype=np.float32)
    names = run("docs/extending.md", 8, {"image_rows": rows, "report_rows": rows})
    assert names["gain"] == 1.0
    assert names["discounted_gain"](np.array([3])) == 0.5


@runs("docs/extending.md", 9)
def test_a_report_of_the_page_renders_a_run(tmp_path: Path) -> None:
    from pytest_retrieval_robust.gate.policy import Policy
    from pytest_retrieval_robust.gate.record import Against, judge_run

    names = run("docs/extending.md", 9, {})
    made = make_run(tmp_path, queries=20)
    record = judge_run(made.run, Policy(), Against())
    assert registered(names).reports.get("txt").render(record) == ""


@runs("docs/recipes.md", 0, 1, 2)
@pytest.mark.parametrize(
    "library", foreign_libraries.LIBRARIES, ids=lambda one: one.name
)
def test_a_recipe_gives_the_rows_of_its_library(
    library: foreign_libraries.Library, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A picture that is not square tells a crop from a stretch, and the constants."""
    library.install(monkeypatch)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    names = run("docs/recipes.md", library.block, {})
    library.fill_in(names, tmp_path)
    entry = registered(names).models.get(library.name)
    request = LoadRequest(may_download=False)
    # A run of all models goes on without one that is not there.
    assert SelectedModel(entry, named=False, may_download=False).absent() is not None
    library.bring(names, tmp_path)
    assert SelectedModel(entry, named=False, may_download=False).absent() is None
    model = entry.load(request)
    picture = foreign_libraries.picture()
    pixels = torch.from_numpy(model.prepare(picture).pixels)[None] / 255
    images = model.encode_images(pixels)
    assert torch.allclose(images, library.image_row(picture), atol=1e-5)
    texts = ["a scar", "no scar at all"]
    assert torch.allclose(
        model.encode_reports(texts), library.text_rows(texts), atol=1e-5
    )
    measure(entry, request)


@runs("docs/python.md", 0)
def test_the_page_of_python_measures_a_curve() -> None:
    curve = run("docs/python.md", 0, {}, pairs="20")["curve"]
    assert isinstance(curve, Curve)
    assert curve.levels == (0.0, 0.1, 0.3)
    assert curve.ks == (1, 10)


@runs("docs/python.md", 1)
def test_the_page_of_python_compares_models() -> None:
    text = block("docs/python.md", "python", 1).text
    small = text.replace("pairs=100", "pairs=20")
    assert small != text
    names: Names = {}
    exec(small, names)
    assert len(names["curves"]) == 4
    assert len(names["table"]["recall"]) == 4 * 2 * 2 * 3


@runs("docs/python.md", 2)
def test_the_page_of_python_shows_what_is_there() -> None:
    names: Names = {
        "images": [np.full((8, 8), number, np.uint8) for number in range(3)],
        "reports": ["One.", "Two.", "Three."],
        "patients": [1, 1, 2],
        "sexes": ["F", "F", "M"],
    }
    dataset = run("docs/python.md", 2, names)["dataset"]
    assert "<th>patients</th><td>2</td>" in dataset._repr_html_()


@runs("docs/python.md", 3)
def test_the_page_of_python_reads_a_saved_run(tmp_path: Path) -> None:
    made = make_run(tmp_path / "store", queries=20, models=("ours", "theirs"))
    made.save(tmp_path / "results")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        names = run("docs/python.md", 3, {})
    assert {*names["losses"]} == {"ours", "theirs"}


@runs("docs/breaking.md", 0)
def test_the_page_of_breaking_searches_and_maps() -> None:
    text = block("docs/breaking.md", "python", 0).text
    assert 'load_dataset("synthetic-cxr")' in text
    small = text.replace('"synthetic-cxr"', '"synthetic-cxr", pairs=48')
    small = small.replace("grid=16, images=100", "grid=4, images=2")
    assert small.count("grid=4, images=2") == 1
    small = small.replace('label="effusion left"', 'label="effusion left", grid=2')
    assert small.count("grid=2") == 1
    names: Names = {}
    exec(small, names)
    assert names["result"].masks[0].shape == (4, 4)
    assert np.shape(names["heat"].rows) == (2, 2)


@runs("docs/counterfactuals.md", 0)
def test_the_page_of_edited_reports_compares_with_them() -> None:
    text = block("docs/counterfactuals.md", "python", 0).text
    assert 'load_dataset("synthetic-cxr")' in text
    names: Names = {}
    exec(text.replace('"synthetic-cxr"', '"synthetic-cxr", pairs=24'), names)
    found = names["found"]
    assert len(found) == 3
    assert found.clean.win_share("negation").share > 0.5


@runs("docs/data.md", 0)
def test_data_sets_of_the_page_open(tmp_path: Path, data: Path) -> None:
    reports, _ = trees.open_i(tmp_path)
    with tarfile.open(tmp_path / "NLMCXR_reports.tgz", "w:gz") as archive:
        archive.add(reports, "ecgen-radiology")
    trees.write_table(
        tmp_path / "test.csv",
        ("image_path", "report", "study", "subject"),
        [("1.png", "No finding.", "1", "1"), ("2.png", "Effusion.", "2", "2")],
    )
    for number in (1, 2):
        trees.save(tmp_path / f"{number}.png", number)
    shown = block("docs/data.md", "python", 0).text
    text = shown.replace('"/data/', f'"{data}/').replace(".parquet", ".csv")
    names: Names = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        exec(text, names)
    assert len(names["mimic"].image_ids) >= 2
    assert len(names["open_i"].reports) >= 1
    assert list(names["ours"].patients) == ["1", "2"]


@runs("docs/data.md", 1)
def test_the_precision_of_the_page_is_a_share(tmp_path: Path) -> None:
    table = [(f"{number}.jpg", *labels) for number, labels in enumerate(3 * CHEXPERT)]
    header = ("Path", *CHEXPERT_LABELS, "Report Impression")
    trees.write_table(tmp_path / "chexpert_5x200.csv", header, table)
    rows = np.eye(12, dtype=np.float32)
    names: Names = {"image_rows": rows, "report_rows": rows}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        run("docs/data.md", 1, names)
    assert 0 < names["precision"] <= 1


@runs("docs/data.md", 2)
def test_the_strata_of_the_page_are_as_it_says() -> None:
    names = run("docs/data.md", 2, {})
    assert names["by_scanner"].name == "scanner"


@runs("docs/strategies.md", 0, 1, 2, 3, 4)
def test_the_page_of_strategies_runs_from_top_to_bottom() -> None:
    """All blocks of the page, from top to bottom, and the tests that they define."""
    names: Names = {}
    for number in range(5):
        run("docs/strategies.md", number, names)
    tests = [name for name in names if name.startswith("test_")]
    assert len(tests) == 9
    for name in tests:
        names[name]()


@runs("docs/synthetic-cxr.md", 0, 1)
def test_pictures_and_edits_of_the_page_are_as_it_says() -> None:
    names = run("docs/synthetic-cxr.md", 0, {})
    assert names["data"].image(0).size == (224, 224)
    edited = run("docs/synthetic-cxr.md", 1, names)["edited"]
    page = read("docs/synthetic-cxr.md")
    assert repr(edited) in page
    counts = Counter((edit.kind, edit.action) for edit in edited.edits)
    rows = re.findall(r"^\| `(\w+)` \| .* \| `(\w+)` \| (\d+) \|$", page, re.M)
    assert {(kind, action): int(count) for kind, action, count in rows} == counts


@runs("docs/text-noise.md", 0)
def test_the_page_of_text_noise_runs() -> None:
    """It asserts what it says."""
    names = run("docs/text-noise.md", 0, {})
    assert names["noise"].name == "truncation(tokens=2)"


@runs("CONTRIBUTING.md", 0)
def test_the_entry_of_contributing_is_one() -> None:
    text = block("CONTRIBUTING.md", "python", 0).text
    entry = eval(text.strip(), vars(published))
    assert isinstance(entry, ModelEntry)
    assert f"`{entry.name}`" in read("docs/models.md")


def test_the_readmes_form_of_an_encoder_gives_rows() -> None:
    pixels = np.random.default_rng(0).random((2, 3, 224, 224), np.float32)
    forms = [code for code in inline_code("README.md") if "from_numpy" in code]
    (form,) = forms
    rows = eval(form, {**torch_names(), "pixels": pixels})
    expected = OnnxSession("pixels").run(None, {"pixels": (pixels - MEAN) / STD})[0]
    assert rows.shape == (2, 3)
    assert np.allclose(rows.numpy(), expected, atol=1e-5)


@runs("docs/counterfactuals-rules.md", 0)
def test_the_page_of_rules_edits_what_it_says() -> None:
    shown = block("docs/counterfactuals-rules.md", "python", 0).text
    names: Names = {}
    lines = shown.splitlines()
    side = next(line for line in lines if line.startswith("{edit.kind"))
    exec(shown.replace(side, f"side = {side}"), names)
    assert names["edited"].coverage.share == 0.5
    assert lines[-1] == f"# {names['side']!r}"


@runs("docs/counterfactuals-tables.md", 0)
def test_the_page_of_tables_reads_pairs(tmp_path: Path) -> None:
    rows = [("Left effusion.", "Right effusion.", "side"), ("Gone.", "Here.", "side")]
    header = ("original", "edited", "kind")
    trees.write_table(tmp_path / "edits.csv", header, rows)
    names: Names = {"dataset": SimpleNamespace(reports=["Left effusion."])}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        run("docs/counterfactuals-tables.md", 0, names)
    assert names["edited"].edits[0].kind == "side"
    assert names["edited"].matching.not_matched == 1
