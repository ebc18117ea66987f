"""The parts of recording and replay shared by all networks: capture, pseudonyms, the leak check, playback. Imports
`core`."""
