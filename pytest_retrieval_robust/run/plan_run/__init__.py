"""The command `plan-run`: what a suite needs, how long that takes, and what is not known."""
