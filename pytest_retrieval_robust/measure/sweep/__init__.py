"""The one procedure: hide, encode, rank, for every cell."""
