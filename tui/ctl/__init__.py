"""slotctl: one file per group of commands; imports neither trio nor textual."""
