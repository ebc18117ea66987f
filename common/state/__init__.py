"""The state file, which survives a restart: one module a table. All SQL is here. Imports `core`."""
