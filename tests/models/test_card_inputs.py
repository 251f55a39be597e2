"""What a card says of all that decides a model's numbers beside its weights: another
tokenizer has another card.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer

from pytest_retrieval_robust import load_model
from pytest_retrieval_robust.measure.embeddings.keys import model_identity
from pytest_retrieval_robust.models import ModelCard
from pytest_retrieval_robust.models.tiny import WEIGHTS

from . import published
from .checkpoints import save_clip, save_open_clip, save_siglip
from .real_tokenizers import save_gemma, save_model, save_sentencepiece


def card(folder: Path, **options: Any) -> ModelCard:
    return load_model(f"local-dir:{folder}", device="cpu", **options).card


def change(file: Path, **values: Any) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **values}))


def swap_two_words(folder: Path) -> None:
    """Two entries of a vocabulary change places: words that few texts hold."""
    file = folder / "tokenizer.json"
    content = json.loads(file.read_text())
    words = content["model"]["vocab"]
    first, second = sorted(words, key=words.__getitem__)[-4:-2]
    words[first], words[second] = words[second], words[first]
    file.write_text(json.dumps(content))


CHANGES: dict[str, Callable[[Path], object]] = {
    "two words": swap_two_words,
    "tokenizer's settings": lambda folder: change(
        folder / "tokenizer_config.json", padding_side="left"
    ),
    "image processor": lambda folder: change(
        folder / "preprocessor_config.json", image_mean=[0.4, 0.5, 0.5]
    ),
    "filter": lambda folder: change(folder / "preprocessor_config.json", resample=2),
    "configuration": lambda folder: change(
        folder / "config.json", initializer_factor=2.0
    ),
    "code of its own": lambda folder: (folder / "own.py").write_text("x = 1"),
}


@pytest.mark.parametrize("changed", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize(
    "save", [save_clip, save_siglip, lambda folder: save_model(save_gemma(folder))]
)
def test_whatever_decides_the_numbers_changes_the_card(
    tmp_path: Path, save: Callable[[Path], Path], changed: Callable[[Path], object]
) -> None:
    before = card(save(tmp_path / "model"))
    assert before.inputs_sha256 is not None
    changed(tmp_path / "model")
    after = card(tmp_path / "model")
    assert after.sha256 == before.sha256  # the weights are the same
    assert after.inputs_sha256 != before.inputs_sha256


def test_sentencepieces_words_are_in_the_card(tmp_path: Path) -> None:
    from sentencepiece import sentencepiece_model_pb2

    proto: Any = sentencepiece_model_pb2
    before = card(save_model(save_sentencepiece(tmp_path)))
    file = tmp_path / "spiece.model"
    pieces = proto.ModelProto()
    pieces.ParseFromString(file.read_bytes())
    pieces.pieces[-1].score -= 1.0
    file.write_bytes(pieces.SerializeToString())
    assert card(tmp_path).inputs_sha256 != before.inputs_sha256


def test_the_same_files_elsewhere_have_the_same_card(tmp_path: Path) -> None:
    for save in (save_clip, save_open_clip):
        folder = save(tmp_path / "one" / save.__name__)
        shutil.copytree(folder, tmp_path / "two" / save.__name__)
        (folder / "README.md").write_text("another description")
        (folder / "trainer_state.json").write_text("{}")
        first = card(folder)
        second = card(tmp_path / "two" / save.__name__)
        assert first.inputs_sha256 == second.inputs_sha256
        assert first.token_ids_sha256 == second.token_ids_sha256


def test_overrides_are_in_the_card(tmp_path: Path) -> None:
    for save in (save_clip, save_open_clip):
        folder = save(tmp_path / save.__name__)
        plain = card(folder)
        assert (
            card(folder, preprocessing={"mean": [0.1, 0.2, 0.3]}).inputs_sha256
            != plain.inputs_sha256
        )
        assert (
            card(folder, preprocessing={"interpolation": "bilinear"}).inputs_sha256
            != plain.inputs_sha256
        )


def test_another_tokenizer_beside_the_same_model_is_in_the_card(tmp_path: Path) -> None:
    folder = save_model(save_gemma(tmp_path / "model"))
    tokenizer = save_gemma(tmp_path / "words")
    same = card(folder, tokenizer=str(tokenizer))
    swap_two_words(tokenizer)
    swapped = card(folder, tokenizer=str(tokenizer))
    assert swapped.inputs_sha256 != same.inputs_sha256


def test_other_ids_of_plain_sentences_are_told_apart(tmp_path: Path) -> None:
    folder = save_model(save_gemma(tmp_path))
    before = card(folder)
    inner = Tokenizer.from_file(str(folder / "tokenizer.json"))
    inner.post_processor = None  # no <eos> at the end
    inner.save(str(folder / "tokenizer.json"))
    change(folder / "tokenizer_config.json", tokenizer_class="PreTrainedTokenizerFast")
    assert card(folder).token_ids_sha256 != before.token_ids_sha256


def test_a_published_systems_card_has_its_tokenizer_and_its_options(
    tmp_path: Path,
) -> None:
    words, swapped = (
        published.save_tokenizer(tmp_path / name, rows=400)
        for name in ("words", "other")
    )
    vocabulary = (swapped / "vocab.txt").read_text().splitlines()
    vocabulary[-1], vocabulary[-2] = vocabulary[-2], vocabulary[-1]
    (swapped / "vocab.txt").write_text("\n".join(vocabulary) + "\n")
    from pytest_retrieval_robust.models import LoadRequest
    from pytest_retrieval_robust.models._formats.towers import TableSizes
    from pytest_retrieval_robust.models._formats.wordpiece import load_word_pieces

    digests = {
        load_word_pieces(
            "a",
            "b",
            LoadRequest(tokenizer=str(folder)),
            TableSizes(words=400, positions=64),
            context=32,
        ).digest
        for folder in (words, swapped)
    }
    assert len(digests) == 2


@pytest.mark.parametrize("name", ["tiny-cxr-clip", "tiny-cxr-openclip"])
def test_stored_embeddings_are_not_those_of_another_tokenizer(
    tmp_path: Path, name: str
) -> None:
    """Words that no fixed sentence holds: the behaviour is the same, and the key must not be."""
    folder = tmp_path / name
    shutil.copytree(WEIGHTS / name, folder)
    keys = [model_identity(load_model(f"local-dir:{folder}", device="cpu"), "fp32")]
    if (folder / "tokenizer.json").exists():
        swap_two_words(folder)
    else:
        change(folder / "open_clip_config.json", note="changed")
    keys.append(model_identity(load_model(f"local-dir:{folder}", device="cpu"), "fp32"))
    assert None not in keys
    assert keys[0] != keys[1]


def test_a_run_keeps_what_the_card_says(
    pytester: pytest.Pytester, run_suite: Any
) -> None:
    run_suite(
        "--robust-models=tiny-cxr-clip", "--robust-results=out", "-k", "level0.30"
    )
    saved = json.loads((pytester.path / "out/run.json").read_text())["models"][0]
    assert len(saved["inputs_sha256"]) == len(saved["token_ids_sha256"]) == 64
