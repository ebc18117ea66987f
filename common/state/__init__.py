"""What survives a restart: the state file, one module a table. All SQL is here. Imports `core`."""
