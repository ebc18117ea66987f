"""What both networks share: vocabulary, decisions, state."""
