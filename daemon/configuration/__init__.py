"""Reading the configuration: its keys, their forms, and where each value came from."""
