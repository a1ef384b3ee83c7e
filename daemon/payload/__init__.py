"""Running a command in a slot: its process group, scratch directory, environment and output."""
