"""Requests, answers and notifications: one file per gateway, in the words of Flink."""
