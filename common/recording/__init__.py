"""The parts of recording and replay that every network shares: capture, pseudonyms, the leak check, playback. Imports
`core`."""
