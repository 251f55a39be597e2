"""Data sets of images with reports.

One public file or folder of this folder is one data set, or a few of one kind: it defines
`register(catalogue)` and imports anything heavy inside functions.
"""

from __future__ import annotations

from .entry import DatasetEntry
from .retrieval_dataset import KnowsContent, RetrievalDataset

__all__ = ["DatasetEntry", "KnowsContent", "RetrievalDataset"]
