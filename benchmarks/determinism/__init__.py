"""The same command under other circumstances: which bits of its ranks stay, and which move."""
