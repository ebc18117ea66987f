"""Every name of Hermes' own code that this plugin uses, in one table, and what happens without it. The rest of `host`
reaches Hermes through these entries alone."""
