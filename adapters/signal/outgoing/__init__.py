"""Messages on their way out: sending through signal-cli, and the bot's own messages that change. Imports the network's
client, failures and wire models."""
