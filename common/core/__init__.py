"""Vocabulary and decisions. Pure: no I/O, no clock, no Hermes; imports nothing of ours outside this room."""
