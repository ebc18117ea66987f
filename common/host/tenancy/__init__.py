"""Memory and recall per chat, carried out in Hermes by its own hooks and middleware: `middleware` is what they call."""
