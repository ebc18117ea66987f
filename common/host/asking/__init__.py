"""Asks people in the host's name, and takes their answers to exactly the entry that waits."""
