"""``slotd demo``: real commands on real files through a real daemon, checked to the last byte."""
