"""What makes a release: two builds with equal bytes, their contents, a bill of materials."""
