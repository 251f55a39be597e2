"""The model card that goes with a reference encoder."""

from __future__ import annotations

from training.fitting import Recipe
from training.saving import Recall

_CARD = """---
license: apache-2.0
library_name: transformers
pipeline_tag: zero-shot-image-classification
---
# {name}

A very small image-text encoder ({millions:.2f} million parameters) for procedural chest radiographs and their reports.
It is **a test instrument, not a medical model**: it has never seen a patient, and must not be used on one.

## Use
```python
from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

model = CLIPModel.from_pretrained(folder, dtype="float32")
```
Images: 96 x 96, bicubic, centre crop. Text: up to 77 tokens of a lower-cased byte-pair encoding. Weights are stored
in half precision.

## Data
{pool} training pairs of the data set `synthetic-cxr`: frontal chest radiographs drawn by numpy, with template reports.
No combination of findings and no report of the test split occurs among them, by construction.

## Recipe
`python -m training.reference {name} --pairs {recipe.pairs} --seed {seed}`: {recipe.pairs} pairs seen in batches of
{recipe.batch}, shifts of 3 pixels, AdamW {recipe.rate} (0.9, 0.98; weight decay {recipe.weight_decay}),
{recipe.warmup} warm-up steps, linear decay over the last {percent:.0f} %, averaged weights ({recipe.average}),
bfloat16 autocast. Loss: CLIP's contrastive loss and {recipe.findings} x the cross-entropy of the findings from both
towers through one shared head that is thrown away. {minutes:.0f} minutes on {threads} CPU threads.

## Figures
Recall@1, @5, @10 on the {recall.pairs} test pairs (chance {chance:.3f}, one training seed):

{figures}

These figures say nothing about radiographs of patients: findings are independent here and reports come from templates.

## Licence
Apache-2.0.
"""


def model_card(
    name: str, recipe: Recipe, recall: Recall, *, parameters: int, pool: int, seed: int, minutes: float, threads: int
) -> str:
    """The text of README.md."""
    return _CARD.format(
        name=name,
        millions=parameters / 1e6,
        pool=pool,
        recipe=recipe,
        seed=seed,
        percent=100 * recipe.decay,
        minutes=minutes,
        threads=threads,
        recall=recall,
        chance=1 / recall.pairs,
        figures="\n".join(f"* {line}" for line in recall.lines()),
    )
