"""Everything between our code and Hermes. The only room that imports it, besides each network's `plugin` and `adapter`;
may import every other room of `common`."""
