"""A user's own model, as a user writes it: `[models.NAME]`, a conftest, an entry point,
plain callables.
"""

from __future__ import annotations

import json
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import torch

from pytest_retrieval_robust import (
    encoder_from_callables,
    evaluate,
    load_dataset,
    load_model,
    load_occluder,
)
from pytest_retrieval_robust.core.errors import (
    ConfigError,
    EmbeddingError,
    ModelError,
    NotOnThisMachineError,
)
from pytest_retrieval_robust.models import LoadRequest, ModelEntry
from pytest_retrieval_robust.models._files.plain_files import (
    PlainFile,
    check_published,
    local_file,
    path_of,
)
from pytest_retrieval_robust.models.own_checkpoint import own_entry

from ..conftest import Run
from .checkpoints import save_clip


def save_openai_layout(file: Path) -> Path:
    """A CLIP of 20 MB in OpenAI's key layout: what CXR-RePaiR's, CheXzero's and
    PubMedCLIP's files are.
    """
    torch.manual_seed(0)
    vision = open_clip.model.CLIPVisionCfg(
        layers=2, width=64, patch_size=32, image_size=64
    )
    text = open_clip.model.CLIPTextCfg(width=64, heads=1, layers=2)
    torch.save(open_clip.CLIP(32, vision, text, quick_gelu=True).state_dict(), file)
    return file


def entry(
    checkpoint: Path, loader: str | None = "cxr-repair", **options: Any
) -> ModelEntry:
    from pytest_retrieval_robust.core.catalogue import Catalogues

    return own_entry(
        "candidate",
        loader,
        str(checkpoint),
        None,
        options,
        Catalogues().models.entries(),
    )


@pytest.mark.parametrize(
    "robust",
    ['loader = "cxr-repair"', 'loader = "cxr-repair"\npreprocessing = "chexpert"'],
)
def test_a_table_runs_the_gate_on_ones_own_weights(
    pytester: pytest.Pytester, run_suite: Run, robust: str
) -> None:
    save_openai_layout(pytester.path / "step-900.pt")
    (pytester.path / "robust.toml").write_text(
        f'[models.candidate]\n{robust}\ncheckpoint = "step-900.pt"\n[[gate]]\nlevel ='
        " 0.3\nrecall = { 10 = 0.0 }\n"
    )
    result = run_suite(
        "--robust-models=candidate", "--robust-results=out", "-k", "level0.30"
    )
    result.assert_outcomes(passed=1, deselected=1)
    saved = (pytester.path / "out/run.json").read_text()
    assert '"source": "checkpoint:step-900.pt"' in saved
    assert str(pytester.path) not in saved


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            'loader = "medclp"',
            (
                r"robust\.toml, line 3: Expected a known loader, got loader='medclp'."
                r" Did you mean 'medclip"
            ),
        ),
        (
            "context_length = 77",
            r"line 1: Expected a known option of candidate, got .*'context_length'",
        ),
        ('loader = "cxr-repair"\ntrust_remote_code = true', "trust_remote_code"),
        (
            "context_length = true",
            r"line 3: expected a whole number, got context_length=True",
        ),
        (
            "context_length = '77'",
            r"line 3: expected a whole number, got context_length='77'",
        ),
        (
            "chekpoint = 'x'",
            r"line 3: Expected a known key of .*'chekpoint'. Did you mean 'checkpoint'",
        ),
    ],
)
def test_a_table_that_is_wrong(
    pytester: pytest.Pytester, run_suite: Run, lines: str, said: str
) -> None:
    (pytester.path / "robust.toml").write_text(
        f'[models.candidate]\ncheckpoint = "step-900.pt"\n{lines}\n'
    )
    result = run_suite("--robust-models=candidate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([f".*{said}"])


def test_a_required_checkpoint_that_is_not_there(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    (pytester.path / "robust.toml").write_text(
        '[models.candidate]\nloader = "medclip"\ncheckpoint = "nowhere.bin"\nrequired ='
        " true\n"
    )
    result = run_suite("--robust-models=candidate")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines(
        [r".*The checkpoint of candidate does not exist: nowhere.bin"]
    )


def test_options_reach_the_loader(tmp_path: Path) -> None:
    file = save_openai_layout(tmp_path / "own.pt")
    plain, other = (
        entry(file).load(LoadRequest()),
        entry(file, preprocessing="chexpert").load(LoadRequest()),
    )
    assert (plain.name, other.name) == ("candidate", "candidate")
    image = load_dataset("synthetic-cxr", pairs=1, size=(300, 200)).image(0)
    assert (
        plain.prepare(image).frame != other.prepare(image).frame == (0.0, 0.0, 1.0, 1.0)
    )


def test_a_folder_needs_no_loader(tmp_path: Path) -> None:
    model = entry(save_clip(tmp_path / "clip"), loader=None).load(LoadRequest())
    assert (model.name, model.card.source) == ("candidate", "checkpoint:clip")


CODE = """
from transformers import CLIPConfig, CLIPModel


class OwnConfig(CLIPConfig):
    model_type = "own-clip"


class OwnModel(CLIPModel):
    config_class = OwnConfig
"""


def test_remote_code_runs_only_where_the_table_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder = save_clip(tmp_path / "clip")
    expected = (
        entry(folder, loader="transformers")
        .load(LoadRequest())
        .encode_reports(["heart is large"])
    )
    config = json.loads((folder / "config.json").read_text())
    classes = {"AutoConfig": "own.OwnConfig", "AutoModel": "own.OwnModel"}
    (folder / "config.json").write_text(
        json.dumps({**config, "model_type": "own-clip", "auto_map": classes})
    )
    (folder / "own.py").write_text(CODE)
    with pytest.raises(ModelError, match="trust_remote_code"):
        entry(folder, loader="transformers").load(LoadRequest())
    model = entry(folder, loader="transformers", trust_remote_code=True).load(
        LoadRequest()
    )
    assert torch.equal(model.encode_reports(["heart is large"]), expected)


def test_what_does_not_fit_is_told_in_the_summary(
    pytester: pytest.Pytester, run_suite: Run
) -> None:
    file = save_openai_layout(pytester.path / "step-900.pt")
    torch.save(
        {**torch.load(file, weights_only=True), "head.weight": torch.zeros(3)}, file
    )
    (pytester.path / "robust.toml").write_text(
        '[models.candidate]\nloader = "cxr-repair"\ncheckpoint = "step-900.pt"\n'
    )
    result = run_suite("--robust-models=candidate")
    result.stdout.fnmatch_lines(
        [
            "loaded: candidate: 1 keys of its checkpoint have no place in the network:",
            "*head.weight",
        ]
    )


SERVICE = """
    import numpy as np
    import pytest
    from pytest_retrieval_robust import encoder_from_callables
    from pytest_retrieval_robust.models import ModelEntry

    def embed_images(pixels):
        return pixels.reshape(len(pixels), -1)[:, :64] - 0.5

    def embed_reports(texts):
        return [[len(text) % (n + 2) + 0.1 for n in range(64)] for text in texts]

    def load(request):
        return encoder_from_callables("service", embed_images, embed_reports, size=32)
"""
HOOK = """
    @pytest.hookimpl(optionalhook=True)
    def pytest_robust_register(catalogues):
        catalogues.models.add(ModelEntry("service", "our remote encoder", load))
"""


def test_callables_in_a_conftest(pytester: pytest.Pytester, bare_suite: Run) -> None:
    pytester.makeconftest(SERVICE + HOOK)
    bare_suite("--robust-models=service", "--robust-measure-only").assert_outcomes(
        passed=2
    )
    # The hook's marker keeps a project without the plugin alive.
    pytester.makepyfile(test_mine="def test_nothing(): pass")
    assert pytester.runpytest("-p", "no:retrieval_robust").ret == pytest.ExitCode.OK


def test_callables_by_an_entry_point(
    pytester: pytest.Pytester, bare_suite: Run
) -> None:
    pytester.makepyfile(
        our_models=SERVICE
        + '\n    def register(catalogue):\n        catalogue.add(ModelEntry("service",'
        ' "", load))'
    )
    info = pytester.mkdir("our_models-1.0.dist-info")
    (info / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: our-models\nVersion: 1.0\n"
    )
    (info / "entry_points.txt").write_text(
        "[pytest_retrieval_robust.models]\nours = our_models:register\n"
    )
    pytester.syspathinsert()
    bare_suite("--robust-models=service", "--robust-measure-only").assert_outcomes(
        passed=2
    )


def test_callables_in_python_are_given_plain_arrays() -> None:
    data = load_dataset("synthetic-cxr", pairs=12)
    tiny = load_model("tiny-cxr-clip", device="cpu")
    seen: list[np.ndarray[Any, Any]] = []

    def images(pixels: np.ndarray[Any, Any]) -> Any:
        seen.append(pixels)
        return 7 * tiny.encode_images(
            torch.from_numpy(pixels)
        )  # any length, any array type

    def reports(texts: list[str]) -> Any:
        return tiny.encode_reports(texts).numpy().astype(np.float64)

    ours = encoder_from_callables("ours", images, reports, prepare=tiny.prepare)
    patches = load_occluder("patches")
    found, expected = (
        evaluate(model, data, patches, levels=(0.3,)) for model in (ours, tiny)
    )
    assert found.recall(k=1) == expected.recall(k=1)
    assert all(
        batch.dtype == np.float32
        and batch.shape[1] == 3
        and 0 <= batch.min() <= batch.max() <= 1
        for batch in seen
    )


class Strange:
    def __array__(self, *_: object, **__: object) -> Any:
        raise RuntimeError("Mr Doe. FINDINGS: effusion")


@pytest.mark.parametrize(
    ("rows", "got"),
    [
        (None, "a NoneType of dtype=object"),
        ("text", "a str of dtype=<U4"),
        ([["0.5", "1.5"], ["2.5", "3.5"]], "a list of dtype=<U3"),
        ([[None, 1.0], [1.0, 2.0]], "a list of dtype=object"),
        ([[1.0], [2.0, 3.0]], "a list that is no array of numbers"),
        ([[1.0, 2.0]], r"a list of shape=\(1, 2\)"),
        ([[1.0, 2.0]] * 3, r"a list of shape=\(3, 2\)"),
        ([], r"a list of shape=\(0,\)"),
        ({"rows": 1}, "a dict of dtype=object"),
        (Strange(), "a Strange that is no array of numbers"),
        (np.zeros(3), r"a ndarray of shape=\(3,\)"),
        (np.zeros((2, 0)), r"a ndarray of shape=\(2, 0\)"),
        (np.zeros((2, 4, 5)), r"a ndarray of shape=\(2, 4, 5\)"),
        (np.ones((2, 4), complex), "a ndarray of dtype=complex128"),
        (np.array([["a", 1], ["b", 2]], object), "a ndarray of dtype=object"),
        (np.zeros((2, 3), "datetime64[s]"), r"a ndarray of dtype=datetime64\[s\]"),
        (torch.ones(2, 4, dtype=torch.complex64), "a Tensor of dtype=complex64"),
        (torch.ones(2, 4, device="meta"), "a Tensor that is no array of numbers"),
        (torch.ones(2, 4).to_sparse(), "a Tensor that is no array of numbers"),
    ],
)
@pytest.mark.parametrize("which", ["encode_images", "encode_reports"])
def test_callables_that_return_something_else(rows: Any, got: str, which: str) -> None:
    ours = encoder_from_callables("ours", lambda _: rows, lambda _: rows)
    given: Any = torch.zeros(2, 3, 4, 4) if which == "encode_images" else ["a", "b"]
    with pytest.raises(
        EmbeddingError,
        match=rf"Expected {which} of ours to return \(2, D\) rows .* got {got}\.",
    ) as caught:
        getattr(ours, which)(given)
    assert caught.value.__context__ is None
    assert "Doe" not in str(caught.value)


ROWS = np.arange(1.0, 9.0).reshape(2, 4)


@pytest.mark.parametrize(
    "rows",
    [
        ROWS,
        ROWS.astype(np.float16),
        ROWS.astype(np.int8),
        ROWS.tolist(),
        [tuple(row) for row in ROWS],
        list(ROWS),
        np.asfortranarray(ROWS),
        ROWS[::-1][::-1],
        torch.from_numpy(ROWS),
        torch.from_numpy(ROWS).to(torch.bfloat16),
        torch.from_numpy(ROWS).requires_grad_(),
        np.lib.stride_tricks.as_strided(ROWS, writeable=False),
    ],
)
def test_callables_may_return_any_array_of_numbers(rows: Any) -> None:
    found = encoder_from_callables(
        "ours", lambda _: rows, lambda _: rows
    ).encode_reports(["a", "b"])
    expected = torch.nn.functional.normalize(torch.from_numpy(ROWS).float(), dim=1)
    assert found.dtype == torch.float32
    assert torch.allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.float64])
def test_callables_may_change_what_they_are_given(dtype: torch.dtype) -> None:
    def images(pixels: np.ndarray[Any, Any]) -> Any:
        pixels -= 0.5
        return pixels.reshape(len(pixels), -1)

    pixels = torch.rand(3, 3, 4, 4).to(dtype)
    before = pixels.clone()
    ours = encoder_from_callables("ours", images, list)
    first, second = ours.encode_images(pixels), ours.encode_images(pixels)
    assert torch.equal(pixels, before)
    assert torch.equal(first, second)


@pytest.mark.parametrize("as_tensor", [False, True])
def test_callables_may_return_one_buffer_again_and_again(as_tensor: bool) -> None:
    buffer = np.zeros((2, 4), np.float32)

    def reports(texts: list[str]) -> Any:
        buffer[:] = [[len(text), 1, 0, 0] for text in texts]
        # Unit rows: dividing by their length would change nothing, so that a view of
        # them could be handed on.
        buffer[:] /= np.linalg.norm(buffer, axis=1, keepdims=True)
        return torch.from_numpy(buffer) if as_tensor else buffer.view()

    ours = encoder_from_callables("ours", len, reports)
    first = ours.encode_reports(["a", "bb"])
    kept = first.clone()
    ours.encode_reports(["a long one", "and a longer one"])
    assert torch.equal(first, kept)
    assert not np.shares_memory(first.numpy(), buffer)


def test_callables_whose_prepare_returns_something_else() -> None:
    ours = encoder_from_callables(
        "ours",
        len,
        len,
        prepare=lambda image: np.asarray(image),  # type: ignore[arg-type, return-value]
    )
    with pytest.raises(
        ModelError, match="Expected prepare of ours to return Prepared.* got a ndarray"
    ):
        ours.prepare(load_dataset("synthetic-cxr", pairs=1).image(0))


def test_options_that_an_entry_does_not_take() -> None:
    with pytest.raises(ConfigError, match="checkpoint"):
        load_model("tiny-cxr-clip", checkpoint="x.pt")


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


def test_a_plain_file_is_fetched_once_checked_and_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "0")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "weights.pt").write_bytes(b"published")
    server = HTTPServer(("127.0.0.1", 0), _Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    file = PlainFile(
        "weights.pt",
        "a page",
        f"http://127.0.0.1:{server.server_port}/weights.pt",
        sha256="0" * 64,
    )
    request = LoadRequest(cache_dir=tmp_path / "cache")
    with pytest.raises(
        NotOnThisMachineError,
        match=r"--robust-download.*weights\.pt from a page.*weights/",
    ):
        local_file(
            "ours", file, LoadRequest(may_download=False, cache_dir=tmp_path / "cache")
        )
    assert local_file("ours", file, request).read_bytes() == b"published"
    server.shutdown()
    server.server_close()
    assert local_file("ours", file, request) == path_of(
        file, request
    )  # no second request: the server is gone
    with pytest.raises(ModelError, match="sha256=0000"):
        check_published(file, "1" * 64)
    path_of(file, request).unlink()
    with pytest.raises(NotOnThisMachineError, match="copy the file to weights/"):
        local_file("ours", file, request)
    assert list((tmp_path / "cache/weights").iterdir()) == []


def test_offline_nothing_is_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    for name in (
        "medclip",
        "medclip-vit",
        "cxr-clip",
        "cxr-clip-r50",
        "cxr-repair",
        "chexzero",
    ):
        with pytest.raises(
            NotOnThisMachineError,
            match=rf"weights of {name} are not on this machine; .*download \S+ from ",
        ):
            load_model(name, cache_dir=tmp_path)
