"""A sweep whose batches are encoded by actors of Ray, on this machine or on a cluster."""
