"""The recipe for a check of `doctor` (`checks.py`: read it before adding one), the findings of checks, and the checks
shared by all networks. Imports `core`, `settings` and `state`."""
