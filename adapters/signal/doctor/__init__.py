"""The checks of a Signal set-up, against the live daemon. Imports the network's client and settings, and
`common.doctor`."""
