"""The commands of `python -m pytest_retrieval_robust`."""
