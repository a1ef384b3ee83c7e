"""The connection to a daemon: a pure session, an asyncio shell, and the news that they deliver."""
