"""From facts to words and cells: pure functions of the store; no widget, no clock."""
