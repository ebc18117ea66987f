"""Platform adapters, one package per network, the list of networks, and the plugin that Hermes loads. A network never
imports another one."""
