"""Settings and the environment, read once and checked as a whole. Imports `core`."""
