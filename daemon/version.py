"""The version of slotd, as it was installed."""

from importlib import metadata


def version() -> str:
    """Such as ``0.1.0``; ``unknown`` in a source tree that was never installed."""
    try:
        return metadata.version("slotd")
    except metadata.PackageNotFoundError:
        return "unknown"
