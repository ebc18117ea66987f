"""The checks of a Mattermost set-up against the live server. `checks.py` lists them; `common/doctor/checks.py` explains
how to add one. Imports the network's client and settings, and `common.doctor`."""
