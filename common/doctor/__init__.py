"""The vocabulary and the runner of `doctor`'s checks, and the checks that no network owns. Imports `core`, `settings`
and `state`."""
