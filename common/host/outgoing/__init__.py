"""What leaves through an adapter: answers in several messages, and the files and pictures attached to them."""
