"""The checks of a Mattermost set-up, against the live server: `checks.py` lists them, and `common/doctor/checks.py`
shows how to add one. Imports the network's client and settings, and `common.doctor`."""
