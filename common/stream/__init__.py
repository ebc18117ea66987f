"""Staying connected: a supervisor and its links, the reconnection policy, a connection's lifespan. Imports `core`."""
