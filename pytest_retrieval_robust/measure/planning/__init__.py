"""How long a suite takes, and how much disk, before anything is encoded."""
