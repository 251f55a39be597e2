"""What the readers of data sets share: tables, archives, captions, texts and relevance.

The order from below: `paths`, `streams`, `values`, `text_policy`; `tables`, `archives`;
`records`, which readers fill; `columns`, `captions`; `choice`, `report_dataset`, `choosing`;
`entries`.
"""
