"""The command `plan`: how many queries gates need, and what they see today."""
