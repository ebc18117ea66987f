"""Mattermost: from the server's WebSocket and REST API to the pipeline and back. Imports `common`, and Hermes in
`plugin` and `adapter` only."""
