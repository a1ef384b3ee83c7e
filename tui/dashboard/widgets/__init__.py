"""Widgets that draw lines of the store: they hold a picture, never the truth."""
