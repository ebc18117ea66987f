"""Who a Mattermost text mentions, by the server's own grammar. Pure; imports nothing of the network."""
