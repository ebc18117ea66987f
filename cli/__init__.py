"""Commands for operators: `hermes adapters …` and `python -m hermes_hardened_adapters …`. Imports `common`, and
networks only through `adapters.networks`."""
