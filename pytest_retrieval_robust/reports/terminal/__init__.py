"""The summary that pytest prints: readable at 80 columns, and in a log without colour."""
