"""Signal: signal-cli's HTTP daemon in front of the Hermes gateway."""
