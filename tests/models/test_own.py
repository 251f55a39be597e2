"""A user's own checkpoint, as a user writes it: a `[models.NAME]` table."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch

from pytest_retrieval_robust import load_dataset, load_model
from pytest_retrieval_robust.core.errors import ConfigError, ModelError
from pytest_retrieval_robust.models import LoadRequest, ModelEntry
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
    ("lines", "message"),
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
    pytester: pytest.Pytester, run_suite: Run, lines: str, message: str
) -> None:
    (pytester.path / "robust.toml").write_text(
        f'[models.candidate]\ncheckpoint = "step-900.pt"\n{lines}\n'
    )
    result = run_suite("--robust-models=candidate")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.re_match_lines([f".*{message}"])


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
    plain = entry(file).load(LoadRequest())
    stretched = entry(file, preprocessing="chexpert").load(LoadRequest())
    assert (plain.name, stretched.name) == ("candidate", "candidate")
    image = load_dataset("synthetic-cxr", pairs=1, size=(300, 200)).image(0)
    assert (
        plain.prepare(image).frame
        != stretched.prepare(image).frame
        == (0.0, 0.0, 1.0, 1.0)
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
            "loaded: candidate: 1 key of its checkpoint did not fit the network:"
            " head.weight",
        ]
    )


def test_options_that_an_entry_does_not_take() -> None:
    with pytest.raises(ConfigError, match="checkpoint"):
        load_model("tiny-cxr-clip", checkpoint="x.pt")
