"""Bounded caches of the server's users, channels and threads. Imports `rest` and the network's `decode`."""
