"""The operator's commands: `hermes adapters …` and `python -m hermes_hardened_adapters …`."""
