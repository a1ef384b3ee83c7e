"""The ResourceManager decides: SlotManager, its matching, its books."""
