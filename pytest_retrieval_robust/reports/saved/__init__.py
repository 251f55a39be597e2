"""A saved run: read, checked, and the form that it has."""
