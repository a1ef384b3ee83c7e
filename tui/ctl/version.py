"""The version, without the cost of reading the installed metadata; a test compares the two."""

VERSION = "0.1.0"
