"""What `encode` does: a part of what a suite needs is encoded into the embedding store.

Any number of processes do so at once, on any machines that share the store's folder, and
none of them knows of the others: each looks for whole files in the store. A batch that
two of them encode is the same twice.
"""
