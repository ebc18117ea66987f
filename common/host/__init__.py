"""Everything between our code and Hermes, which `contract` alone imports. May import every other room of `common`."""
