"""Whose memory is whose: contexts and their policy, settings, the layout on disk, guards. Knows no Hermes, and is pure
but for the files of `memory`. Imports `state` and below.
"""
