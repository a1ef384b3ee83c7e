"""The TaskExecutor waits: its link, the jobs it serves, the commands in its slots."""
