"""Trio roles: each owns one mailbox and interprets the effects of one core; they decide nothing."""
