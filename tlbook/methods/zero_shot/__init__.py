"""Classes without examples: described by attributes or by an embedding, named by their description."""
