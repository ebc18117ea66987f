"""The directory plugin in HERMES_HOME that loads this package, so that an update of Hermes installs it again. Only
`enabling` uses Hermes."""
