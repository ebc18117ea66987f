"""Parsing of mentions in a Mattermost text by the server's own grammar. Pure; imports nothing else of the network."""
