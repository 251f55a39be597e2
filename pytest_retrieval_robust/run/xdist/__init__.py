"""What pytest-xdist's workers and their controller share."""
