"""Benchmarks of these adapters against the stock ones: `python -m benchmarks --help`."""
