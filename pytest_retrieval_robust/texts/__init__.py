"""Reports as texts: how they are written (`noise`) and what they say (`edits`)."""
