"""Stock's adapters and these ones measured side by side: `python -m benchmarks --help`."""
