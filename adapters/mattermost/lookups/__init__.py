"""What the server knows of users, channels and threads, asked for once and remembered for a while. Imports `rest` and
the network's `decode`."""
