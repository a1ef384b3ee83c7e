"""The TaskExecutor decides: SlotTable, and whose leader is current."""
