"""What a message holds besides text and files, described for the agent. Pure; imports the network's `wire` and
`common.core`, and is used by `decode`."""
