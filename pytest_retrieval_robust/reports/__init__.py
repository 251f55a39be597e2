"""Reports: each is a function of the run's record."""

from __future__ import annotations
