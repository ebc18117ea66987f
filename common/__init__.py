"""Shared by all networks; knows none of them. The rooms build on each other in one direction: `core`, `settings`,
`state`, `inbound` and `stream`, `doctor` and `recording`, `host`."""
