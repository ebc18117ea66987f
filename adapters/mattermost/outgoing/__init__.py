"""Posts on their way out: the bot's own ones that change. Imports the network's connection, mentions and client."""
