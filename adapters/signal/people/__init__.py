"""People on Signal: numbers, ACIs and direct chats, learnt from envelopes and the daemon's contacts. Imports the
network's client, settings and wire models."""
