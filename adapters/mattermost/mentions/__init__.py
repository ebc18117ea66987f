"""The mentions in a Mattermost text, by the server's own grammar. Pure; imports nothing of the network."""
