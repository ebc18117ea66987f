"""The Mattermost network: connects the server's WebSocket and REST API to the pipeline. Imports `common`; Hermes only
in `plugin` and `adapter`."""
