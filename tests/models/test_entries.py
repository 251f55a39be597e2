"""Names, paths and loaders of the user's own: each mistake is one sentence."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.core.errors import NotOnThisMachineError, UnknownNameError
from pytest_retrieval_robust.models import (
    LoadRequest,
    ModelCard,
    ModelEntry,
    load_entry,
)

from .checkpoints import save_clip
from .refusals import CANARY, load, refused


def test_a_path_in_place_of_a_name_is_told_how_to_be_written(tmp_path: Path) -> None:
    for typed in (
        "../models/hfclip",
        "models/rn50.pt",
        str(tmp_path / CANARY / "clip"),
        "clip.safetensors",
        "a\\b",
    ):
        with pytest.raises(
            UnknownNameError,
            match="Write hf:ORG/NAME .* local-dir:FOLDER .* as checkpoint",
        ) as caught:
            load_model(typed)
        assert CANARY not in str(caught.value)
    with pytest.raises(UnknownNameError, match="Did you mean 'medclip"):
        load_model("medclp")


def test_a_file_in_place_of_a_folder_is_told_where_it_belongs(tmp_path: Path) -> None:
    (tmp_path / CANARY).mkdir()
    file = tmp_path / CANARY / "rn50.pt"
    file.write_bytes(b"x")
    with pytest.raises(
        NotOnThisMachineError,
        match=r"got 'local-dir:rn50.pt', which is a file; name it as checkpoint",
    ):
        load(file)


def test_a_path_that_exists_needs_no_scheme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = save_clip(tmp_path / CANARY / "candidate")
    monkeypatch.chdir(folder.parent)
    for typed in (
        "./candidate",
        "../" + CANARY + "/candidate",
        str(folder),
        "candidate/model.safetensors",
        "local-dir:candidate/model.safetensors",
    ):
        model = load_model(typed, device="cpu")
        assert model.name == "local-dir-candidate"
        assert model.card.source == "local-dir:candidate"
    # A plain name is one of the catalogue, whatever lies here.
    with pytest.raises(UnknownNameError, match="local-dir:FOLDER for a folder"):
        load_model("candidate")


def test_one_file_of_several_is_not_taken_for_its_folder(tmp_path: Path) -> None:
    folder = save_clip(tmp_path / "candidate")
    (folder / "ema.safetensors").write_bytes(
        (folder / "model.safetensors").read_bytes()
    )
    with pytest.raises(NotOnThisMachineError, match='checkpoint = "ema.safetensors"'):
        load(folder / "ema.safetensors")


def test_paths_in_messages_are_normalised(tmp_path: Path) -> None:
    folder = save_clip(tmp_path / CANARY / "model")
    crooked = folder.parent / "gate" / ".." / "model"
    (folder.parent / "gate").mkdir()
    (folder / "config.json").write_text("{")
    assert ".." not in refused(lambda: load(crooked)).replace("...", "")
    with pytest.raises(NotOnThisMachineError, match="got checkpoint='none.pt'"):
        load_model("cxr-repair", checkpoint=folder / ".." / "none.pt", device="cpu")


def named(name: str, **attributes: Any) -> ModelEntry:
    class Other:
        card = ModelCard("own")
        device = "cpu"
        prepare = encode_images = encode_reports = staticmethod(lambda *_: None)

    model = Other()
    for key, value in {"name": name, **attributes}.items():
        setattr(model, key, value)
    return ModelEntry("ours", "", lambda _: model)  # type: ignore[arg-type, return-value]  # on purpose


def test_a_model_answers_to_its_entrys_name() -> None:
    assert load_entry(named("ours"), LoadRequest()).name == "ours"
    message = refused(lambda: load_entry(named("theirs"), LoadRequest()))
    assert "the entry 'ours' to have that name, got name='theirs'" in message


@pytest.mark.parametrize(
    ("load_", "part"),
    [
        (lambda _: None, "got a NoneType without name, card"),
        (lambda: None, "got a NoneType without"),
        (
            lambda _: (_ for _ in ()).throw(ValueError(CANARY)),
            "got ValueError at .*test_entries.py",
        ),
        (lambda _: (_ for _ in ()).throw(SystemExit(CANARY)), "got SystemExit"),
        (named("ours", card={"source": "x"}).load, "to be a ModelCard, got a dict"),
    ],
)
def test_what_a_loader_of_ones_own_may_do(load_: Any, part: str) -> None:
    import re

    assert re.search(
        part, refused(lambda: load_entry(ModelEntry("ours", "", load_), LoadRequest()))
    )


def test_a_wrong_name_in_a_conftest_is_one_sentence(
    pytester: pytest.Pytester, run_suite: Any
) -> None:
    pytester.makeconftest("""
        from pytest_retrieval_robust import encoder_from_callables
        from pytest_retrieval_robust.models import ModelEntry

        def pytest_robust_register(catalogues):
            make = lambda request: encoder_from_callables("theirs", list, list)
            catalogues.models.add(ModelEntry("ours", "", make))
        """)
    result = run_suite("--robust-models=ours")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.re_match_lines(
        [
            ".*Expected the model of the entry 'ours' to have that name, got"
            " name='theirs'"
        ]
    )
    assert "KeyError" not in result.stdout.str()
