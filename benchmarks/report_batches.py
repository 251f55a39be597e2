"""Reports encoded in the order of the data beside batches of equal length.

`OMP_NUM_THREADS=1 python -m benchmarks.report_batches`

A text tower with random weights, as small as the embedded encoders' or of the size of a
ViT-B/32's (12 layers of 512), is never given padding: texts of one length are a forward
pass. Both ways encode the same reports of synthetic-cxr, in turns in one process. A way
is given the encoder anew each round, so that its tokens are made in its time. Rows of
the two ways may differ by rounding, because a product of another size sums in another
order: the largest difference is printed.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator, Sequence
from statistics import median

import torch
from PIL.Image import Resampling
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from torch import Tensor, nn
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

from pytest_retrieval_robust import load_dataset
from pytest_retrieval_robust.measure.sweep.gallery import encode_gallery
from pytest_retrieval_robust.models import LoadRequest, ModelCard
from pytest_retrieval_robust.models._formats.composed import ComposedEncoder, Parts
from pytest_retrieval_robust.models._formats.pictures import Picture, stretch
from pytest_retrieval_robust.models._formats.wordpiece import WordPieces

_CONTEXT = 128
_TOWERS = {"tiny": (4, 128, 4), "ViT-B/32": (12, 512, 8)}
"""Layers, width and heads of the text towers."""


class _Texts(nn.Module):
    """Counts its forward passes."""

    def __init__(self, layers: int, width: int, heads: int, words: int) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.passes = 0
        self._network = BertModel(
            BertConfig(
                vocab_size=words,
                hidden_size=width,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                intermediate_size=4 * width,
                max_position_embeddings=_CONTEXT,
            ),
            add_pooling_layer=False,
        )

    def forward(self, ids: Tensor) -> Tensor:
        self.passes += 1
        rows: Tensor = self._network(input_ids=ids).last_hidden_state[:, 0]
        return rows


class _InOrder(ComposedEncoder):
    """Says nothing of lengths, so that batches follow the data."""

    token_lengths = None  # type: ignore[assignment]


def main() -> None:
    """Print a line per tower and way."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--reports", type=int, default=5000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--towers", nargs="*", choices=_TOWERS, default=[*_TOWERS])
    parser.add_argument("--device", default="cpu")
    options = parser.parse_args()
    dataset = load_dataset(f"synthetic-cxr(pairs={options.reports})")
    texts = list(dataset.reports)
    tokenizer = _tokenizer(texts)
    print(f"{len(texts):,} reports in batches of {options.batch_size}")
    for name in options.towers:
        tower = _Texts(*_TOWERS[name], words=len(tokenizer)).to(options.device)
        ways = {"in order": _InOrder, "by length": ComposedEncoder}
        for line in _compared(name, ways, tower, tokenizer, texts, options):
            print(line, flush=True)


def _compared(
    name: str,
    ways: dict[str, type[ComposedEncoder]],
    tower: _Texts,
    tokenizer: PreTrainedTokenizerFast,
    texts: Sequence[str],
    options: argparse.Namespace,
) -> Iterator[str]:
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    passes: dict[str, int] = {}
    rows: dict[str, Tensor] = {}
    for _ in range(options.rounds):
        for way, kind in ways.items():
            encoder = _encoder(kind, tower, tokenizer, options.device)
            tower.passes = 0
            # A first batch warms up, and is the same for both.
            encoder.encode_reports(texts[:8])
            tower.passes = 0
            started = time.perf_counter()
            rows[way] = encode_gallery(encoder, texts, options.batch_size).cpu()
            seconds[way].append(time.perf_counter() - started)
            passes[way] = tower.passes
    before, after = (seconds[way] for way in ways)
    ratio = median(a / b for a, b in zip(after, before, strict=True))
    difference = (rows["in order"] - rows["by length"]).abs().max()
    for way in ways:
        yield (
            f"{name:8}  {way:9}  {passes[way]:5} passes  {median(seconds[way]):7.2f} s"
        )
    yield f"{name:8}  ratio {ratio:.2f}, rows differ by {float(difference):.1e} at most"


def _encoder(
    kind: Callable[..., ComposedEncoder],
    tower: _Texts,
    tokenizer: PreTrainedTokenizerFast,
    device: str,
) -> ComposedEncoder:
    picture = Picture(stretch(32, Resampling.BICUBIC), 32, (0.5,) * 3, (0.5,) * 3)
    tokens = WordPieces(tokenizer, _CONTEXT)
    parts = Parts(picture, nn.Identity(), tokens, tower)
    return kind("benchmark", ModelCard("benchmark"), LoadRequest(device=device), parts)


def _tokenizer(texts: Sequence[str]) -> PreTrainedTokenizerFast:
    """A word for every word of the reports."""
    split = pre_tokenizers.BertPreTokenizer()
    words = sorted({word for text in texts for word, _ in split.pre_tokenize_str(text)})
    numbers = {word: number for number, word in enumerate(["[UNK]", "<s>", *words])}
    numbers["</s>"] = len(numbers)
    inner = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    inner.pre_tokenizer = split
    inner.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        special_tokens=[("<s>", numbers["<s>"]), ("</s>", numbers["</s>"])],
    )
    return PreTrainedTokenizerFast(tokenizer_object=inner, unk_token="[UNK]")


if __name__ == "__main__":
    main()
