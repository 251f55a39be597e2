"""Networks, preprocessing and tokenizers of the model families, one module per format."""
