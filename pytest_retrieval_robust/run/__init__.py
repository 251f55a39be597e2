"""All that a person starts: the pytest plugin and the commands."""
