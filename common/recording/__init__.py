"""What recording and replaying have in common: capture, pseudonyms, the search for leaks, playback. Imports `core`."""
