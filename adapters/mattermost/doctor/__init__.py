"""The checks of a Mattermost set-up, against the live server. Imports the network's client and settings, and
`common.doctor`."""
