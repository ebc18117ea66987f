"""The state file, which survives a restart: one module for each table. All SQL is here. Imports `core`."""
