"""`python -m pytest_retrieval_robust rank`: the ranks of an example again, as numbers alone."""

from __future__ import annotations

import re

import pytest

from pytest_retrieval_robust import evaluate, load_dataset, load_model, load_occluder
from pytest_retrieval_robust.__main__ import main

pytestmark = pytest.mark.usefixtures("one_thread")
DATASET = "synthetic-cxr(pairs=30)"


def rank(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["rank", "tiny-cxr-clip", DATASET, *words])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def test_ranks_are_those_of_a_sweep(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = rank(capsys, "--level", "0.3", "--images", "30")
    assert code == 0
    curve = evaluate(
        load_model("tiny-cxr-clip", device="cpu"), load_dataset("synthetic-cxr", pairs=30), load_occluder("patches"),
        levels=(0.3,), device="cpu",
    )  # fmt: skip
    kept = re.search(r"kept in the top 10: (\d+) of (\d+) images", out)
    assert kept is not None
    assert int(kept[2]) == round(30 * curve.recall(10)[0.0])
    after = {int(found[1]): int(found[3]) for found in re.finditer(r"image (\d+): (\d+) -> (\d+)", out)}
    unchanged = 30 - len(after)
    assert sum(one <= 1 for one in after.values()) <= round(30 * curve.recall(1)[0.3]) <= unchanged + len(after)


def test_one_image_is_shown_as_it_is_among_the_others(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = rank(capsys, "--level", "0.3", "--images", "10")
    lines = re.findall(r"image \d+: \d+ -> \d+", out)
    number = re.findall(r"\d+", lines[0])[0]
    _, alone, _ = rank(capsys, "--level", "0.3", "--images", "10", "--image", number)
    assert re.findall(r"image \d+: \d+ -> \d+", alone) == lines[:1]


def test_no_id_and_no_text_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    _, out, err = rank(capsys, "--level", "0.3", "--images", "10")
    data = load_dataset("synthetic-cxr", pairs=30)
    assert not any(word[:30] in out + err for word in (*data.image_ids, *data.reports))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--level", "1.2"], "level=1.2"),
        (["--level", "0.2", "--image", "99"], "image=99"),
        (["--level", "0.2", "--occluder", "patchs"], "Did you mean 'patches'"),
    ],
)
def test_bad_input_exits_with_an_error_in_words(
    capsys: pytest.CaptureFixture[str], words: list[str], said: str
) -> None:
    code, _, err = rank(capsys, *words)
    assert code != 0
    assert said in err
