"""Staying connected: opening and closing as a whole, reconnecting, supervising a stream. Imports `core`."""
