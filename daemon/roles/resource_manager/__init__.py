"""The ResourceManager waits: its term, who is registered, what its SlotManager wants done."""
