"""The JobMaster decides: SlotPool, one request one slot."""
