"""How the reference encoders were made: `python -m training.reference tiny-cxr-clip`."""
