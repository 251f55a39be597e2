"""What a model makes of fixed inputs, kept in a file, and compared with it later."""
