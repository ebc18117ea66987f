"""Canaries: many chats on both networks in the real gateway, a model that tries everything, and no foreign word."""
