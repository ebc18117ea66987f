"""Seeing, moving and deleting what chats have stored, for operators (`overview`) and for the chat itself (`own`)."""
