"""Leader election and retrieval: one interface, one file per backend."""
