"""Signal: from signal-cli's HTTP daemon to the pipeline and back. Imports `common`, and Hermes in `plugin` and
`adapter` only."""
