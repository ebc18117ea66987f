"""Platform adapters, one package a network, and what Hermes calls to load them. A network never imports another one."""
