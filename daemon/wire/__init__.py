"""The wire of the daemon: who may speak, to whom, and peers near and far behind one call."""
