"""The checks of a Signal set-up, against the live daemon: `checks.py` lists them, and `common/doctor/checks.py`
shows how to add one. Imports the network's client and settings, `common.doctor` and `common.host.checks`."""
