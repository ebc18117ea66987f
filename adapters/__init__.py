"""Platform adapters, one package a network."""
