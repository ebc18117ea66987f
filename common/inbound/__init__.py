"""A decoded message on its way to the host: queues, the pipeline, authorization, files, background. Imports `core` and
`state`."""
