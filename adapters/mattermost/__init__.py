"""Mattermost: a bot account on a server in front of the Hermes gateway."""
