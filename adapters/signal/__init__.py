"""The Signal network: connects signal-cli's HTTP daemon to the pipeline. Imports `common`; Hermes only in `plugin`
and `adapter`."""
