"""The recipe for a check of `doctor` (`checks.py`: read it before adding one), the findings it reports, and the checks
that no network owns. Imports `core`, `settings` and `state`."""
