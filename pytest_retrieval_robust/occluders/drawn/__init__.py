"""Severity occluders: each draws something that grows with the level (`severity`)."""
