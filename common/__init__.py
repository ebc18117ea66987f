"""Code that all networks share and that knows none of them. The rooms build on each other in this order: `core`,
`settings`, `state`, `inbound` and `stream`, `doctor` and `recording`, `host`."""
