"""One account belongs to one profile: in a process that serves several, and in the settings of all."""
