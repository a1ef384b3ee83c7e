"""slotd: one Trio process that hosts every role of the slot-allocation control plane."""
