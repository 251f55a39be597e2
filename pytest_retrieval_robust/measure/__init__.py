"""Numbers from models and data. It knows no gate."""
