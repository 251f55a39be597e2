"""Files of weights: where they lie, how they are read, and what in them does not fit."""
