"""Embeddings that are kept from run to run, and the keys that they are kept under."""
