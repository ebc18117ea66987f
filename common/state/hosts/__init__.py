"""SQL on Hermes' own database of sessions, which is read and never written here."""
