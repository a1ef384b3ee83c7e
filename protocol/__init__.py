"""The vocabulary and the wire of slotd: pure, shared by the daemon, its clients and slottop."""
