"""Mattermost's REST API: calls, transport, and translation of refusals into errors. Imports `common.core` and
`mentions`."""
