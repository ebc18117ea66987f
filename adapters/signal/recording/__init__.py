"""Recording signal-cli's traffic as a fixture, and serving a fixture in the daemon's place. No part of the message
path."""
