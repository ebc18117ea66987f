"""Mattermost's REST API: the calls, their transport, and the meaning of each refusal. Imports `common.core` and
`mentions`."""
