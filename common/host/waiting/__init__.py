"""Messages that were handed over and wait for their turn in Hermes; what of them may not be stored."""
