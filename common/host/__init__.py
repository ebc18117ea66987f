"""Everything between our code and Hermes. The only room that imports it, beside each network's `plugin` and `adapter`;
may import every other room of `common`."""
