"""What opens over a page and closes again: help, an explanation."""
