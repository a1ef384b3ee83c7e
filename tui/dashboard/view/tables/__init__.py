"""One file per list: its columns, its order, its words for nothing."""
