"""The model card that goes with a reference encoder."""

from __future__ import annotations

from training.figures import DIRECTIONS, LEVELS, Figures
from training.hiding import DEEPEST, GRIDS, KEPT_OUT
from training.recipes import Recipe

_CARD = """---
license: apache-2.0
library_name: {library}
pipeline_tag: zero-shot-image-classification
---
# {figures.name}

{what}
It is **a test instrument, not a medical model**: it has never seen a patient, and must not \
be used on one.

## Use
```python
{use}
```
Images: 96 x 96, bicubic, centre crop. Text: up to 77 tokens of a lower-cased byte-pair encoding \
({figures.tokens}
entries). Weights are stored in half precision: {millions:.2f} million parameters.

## Data
{data}

## Recipe
`python -m training.reference {figures.name} --seed {figures.seed}`: \
{recipe.pairs} pairs out of {recipe.pool} different
ones, in batches of {recipe.batch}, shifts of 3 pixels, AdamW {recipe.rate} (0.9, 0.98; weight decay
{recipe.weight_decay}), {recipe.warmup} warm-up steps, \
linear decay over the last {percent:.0f} %, averaged weights
({recipe.average}), bfloat16 autocast. Loss: CLIP's contrastive loss and the cross-entropy of \
{labels} from both towers
through one shared head that is thrown away, its weight falling \
from {recipe.findings} to {recipe.findings_end}.
{hiding}{minutes:.0f} CPU minutes.

## Figures
Recall on 500 held-out pairs (chance 0.002, 0.01, 0.02), this training seed:

{tables}

{caveat}

## Licence
Apache-2.0.
"""
_USE = {
    "clip": (
        """from transformers import AutoImageProcessor, AutoTokenizer, CLIPModel

model = CLIPModel.from_pretrained(folder, dtype="float32")"""
    ),
    "open_clip": (
        """import open_clip

model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
tokenizer = open_clip.get_tokenizer(f"local-dir:{folder}")"""
    ),
}
_DATA = {
    "synthetic-cxr": (
        "The training split of `synthetic-cxr`: frontal chest radiographs drawn by"
        " numpy, with template reports.\nNo combination of findings and no report of"
        " the test split occurs in it, by construction."
    ),
    "synthetic-scenes": (
        "The training split of `synthetic-scenes`: coloured shapes with captions. No"
        " radiograph was seen.\nThe tokenizer also learned from reports, as a general"
        " one has met such words, so that no report is cut."
    ),
}
_WHAT = {
    "synthetic-cxr": (
        "A very small image-text encoder for procedural chest radiographs and their"
        " reports."
    ),
    "synthetic-scenes": (
        "A very small image-text encoder for pictures of coloured shapes: the"
        " counterpart of a general CLIP,\nwhich knows pictures and words, but not this"
        " kind. On radiographs it is expected to be at chance."
    ),
}


def model_card(figures: Figures, recipe: Recipe) -> str:
    """The text of README.md."""
    library = "open_clip"
    if recipe.network == "clip":
        library = "transformers"
    labels = "what lies where"
    if recipe.source == "synthetic-cxr":
        labels = "the findings"
    return _CARD.format(
        figures=figures,
        recipe=recipe,
        library=library,
        what=_WHAT[recipe.source],
        use=_USE[recipe.network],
        data=_DATA[recipe.source],
        labels=labels,
        millions=figures.parameters / 1e6,
        percent=100 * recipe.decay,
        hiding=_hiding(recipe),
        minutes=figures.cpu_minutes,
        tables="\n\n".join(_table(figures, dataset) for dataset in figures.curves),
        caveat=(
            "These figures say nothing about radiographs of patients: findings are"
            " independent here, each can be seen, and\nreports come from templates."
        ),
    )


def _hiding(recipe: Recipe) -> str:
    if recipe.hidden == 0:
        return ""
    grids = ", ".join(map(str, GRIDS))
    return (
        f"{100 * recipe.hidden:.0f} % of the pictures were partly hidden: up to"
        f" {100 * DEEPEST:.0f} % of the area, grids of {grids} cells a side, black or"
        f" the image's mean.\nThe grid {KEPT_OUT['grid']} and the fill"
        f" `{KEPT_OUT['fill']}` were kept out, to see what generalises.\n"
    )


def _table(figures: Figures, dataset: str) -> str:
    levels = " | ".join(f"{level:g}" for level in LEVELS)
    lines = [
        f"On `{dataset}`, with a share of the area hidden:",
        "",
        f"| occluder | direction | k | {levels} |",
        "| --- | --- | --- |" + " --- |" * len(LEVELS),
    ]
    for occluder, recalls_of in figures.curves[dataset].items():
        # Both directions for the plain patches alone, so that the table stays short.
        directions = list(DIRECTIONS)
        if occluder != "patches":
            directions = directions[:1]
        for direction in directions:
            for k, recalls in recalls_of[direction].items():
                shown = " | ".join(f"{recall:.3f}" for recall in recalls)
                lines.append(f"| `{occluder}` | {direction} | {k} | {shown} |")
    return "\n".join(lines)
