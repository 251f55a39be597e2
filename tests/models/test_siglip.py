"""SigLIP's texts: the same ids through transformers and through open_clip, for real
tokenizers of both kinds.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from open_clip.tokenizer import HFTokenizer, get_clean_fn

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.models import DualEncoder, truncated_by
from pytest_retrieval_robust.models._formats.transformers_versions import IS_5

from .real_tokenizers import (
    CONTEXT,
    TEXTS,
    gemma,
    save_gemma,
    save_model,
    save_sentencepiece,
)

SAVERS: dict[str, Callable[[Path], Path]] = {
    "siglip-1": save_sentencepiece,
    "siglip-2": save_gemma,
    "siglip-2-as-repaired": lambda folder: save_gemma(folder, "Siglip2Tokenizer"),
    "siglip-2-as-any": lambda folder: save_gemma(folder, "PreTrainedTokenizerFast"),
}


def ids(model: DualEncoder, texts: list[str]) -> torch.Tensor:
    token_ids: Any = getattr(model, "tokens")(texts)["input_ids"]  # noqa: B009 - of this loader alone
    return torch.as_tensor(token_ids)


@pytest.fixture(params=SAVERS)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return save_model(SAVERS[request.param](tmp_path / "siglip"))


def test_both_libraries_give_the_same_ids(folder: Path) -> None:
    model = load_model(f"local-dir:{folder}", device="cpu")
    settings_file = (folder / "tokenizer_config.json").read_text()
    if not IS_5 and "Siglip2Tokenizer" in settings_file:
        pytest.skip("open_clip reads it with a class that came with transformers 5")
    theirs = HFTokenizer(str(folder), context_length=CONTEXT, clean="canonicalize")
    assert torch.equal(ids(model, list(TEXTS)), theirs(list(TEXTS)))
    assert model.card.text_cleaning == "canonicalize"


def test_case_and_punctuation_change_no_embedding(folder: Path) -> None:
    model = load_model(f"local-dir:{folder}", device="cpu")
    shouted, plain = model.encode_reports(
        ["No Pneumothorax. EFFUSION, left!", "no pneumothorax effusion left"]
    )
    assert torch.equal(shouted, plain)
    assert not torch.allclose(
        plain, model.encode_reports(["large heart"])[0], atol=1e-4
    )


def test_texts_are_counted_as_they_are_read(folder: Path) -> None:
    model = load_model(f"local-dir:{folder}", device="cpu")
    signs = "." * (4 * CONTEXT)  # none of them is left
    assert truncated_by(model, [signs, "word " * CONTEXT]) == 1


@pytest.mark.parametrize(
    "kind", ["GemmaTokenizer", "Siglip2Tokenizer", "PreTrainedTokenizerFast", None]
)
def test_gemmas_ids_are_those_of_its_own_file(tmp_path: Path, kind: str | None) -> None:
    """The library under both: cleaned as big_vision does, cut, closed with `<eos>`,
    padded on the right.
    """
    model = load_model(
        f"local-dir:{save_model(save_gemma(tmp_path, kind))}", device="cpu"
    )
    inner = gemma()
    clean = get_clean_fn("canonicalize")
    inner.enable_truncation(CONTEXT)
    inner.enable_padding(length=CONTEXT, pad_id=0, pad_token="<pad>")
    expected = [inner.encode(clean(text)).ids for text in TEXTS]
    assert ids(model, list(TEXTS)).tolist() == expected


def test_sentencepieces_ids_are_those_of_its_own_file(tmp_path: Path) -> None:
    import sentencepiece

    model = load_model(
        f"local-dir:{save_model(save_sentencepiece(tmp_path))}", device="cpu"
    )
    pieces = sentencepiece.SentencePieceProcessor(
        model_file=str(tmp_path / "spiece.model")
    )
    clean = get_clean_fn("canonicalize")
    for text, row in zip(TEXTS, ids(model, list(TEXTS)).tolist(), strict=True):
        expected = [*pieces.encode(clean(text))[: CONTEXT - 1], pieces.eos_id()]
        assert row == expected + [pieces.eos_id()] * (CONTEXT - len(expected)), text


@pytest.fixture(scope="module", params=[save_gemma, save_sentencepiece])
def libraries(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[DualEncoder, HFTokenizer]:
    folder = save_model(request.param(tmp_path_factory.mktemp("any")))
    theirs = HFTokenizer(str(folder), context_length=CONTEXT, clean="canonicalize")
    return load_model(f"local-dir:{folder}", device="cpu"), theirs


@settings(max_examples=150, deadline=None)
@given(text=st.text(max_size=60))
def test_any_text_has_the_same_ids_through_both(
    libraries: tuple[DualEncoder, HFTokenizer], text: str
) -> None:
    model, theirs = libraries
    assert torch.equal(ids(model, [text]), theirs([text]))


def test_a_tokenizer_that_keeps_its_cases_is_left_to_itself(tmp_path: Path) -> None:
    import json

    file = save_sentencepiece(tmp_path) / "tokenizer_config.json"
    file.write_text(
        json.dumps({**json.loads(file.read_text()), "do_lower_case": False})
    )
    model = load_model(f"local-dir:{save_model(tmp_path)}", device="cpu")
    assert model.card.text_cleaning is None
    assert not torch.equal(ids(model, ["HEART"]), ids(model, ["heart"]))


def test_medsiglips_folder_needs_no_tokenizer_of_its_own(tmp_path: Path) -> None:
    folder = save_model(save_sentencepiece(tmp_path))
    model = load_model("medsiglip", checkpoint=folder, device="cpu")
    assert torch.equal(
        model.encode_reports(["Heart."]), model.encode_reports(["heart"])
    )


def test_without_sentencepiece_the_advice_is_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pytest_retrieval_robust.core.errors import ModelError

    folder = save_model(save_sentencepiece(tmp_path))

    def absent(*_: object, **__: object) -> object:
        raise ImportError(
            "\nSiglipTokenizer requires the SentencePiece library but it was not found"
            " in your environment."
        )

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", absent)
    with pytest.raises(
        ModelError,
        match=(
            r"the package sentencepiece, which the tokenizer .* `pip install sentence"
        ),
    ):
        load_model("medsiglip", checkpoint=folder, device="cpu")
