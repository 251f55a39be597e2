"""Samples for `--robust-show-samples`: which images are shown, and what is retrieved."""
