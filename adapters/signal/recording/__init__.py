"""Records signal-cli's traffic as a fixture, and replays a fixture in place of the daemon. Not part of the message
path."""
