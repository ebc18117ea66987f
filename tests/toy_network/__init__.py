"""A third network in one folder: newline-separated JSON over TCP. It shows what a network package has to bring."""
