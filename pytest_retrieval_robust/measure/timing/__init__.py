"""What hiding and encoding cost, measured in turns."""
