"""The path of a decoded message to the host: queues, the pipeline, authorization, files, background. Imports `core` and
`state`."""
