"""The checks of a Signal set-up against the live daemon. `checks.py` lists them; `common/doctor/checks.py` explains how
to add one. Imports the network's client and settings, `common.doctor` and `common.host.facts`."""
