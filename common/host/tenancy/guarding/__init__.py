"""Keeps tools, jobs, shells and answers of a chat away from what belongs to others and to the agent."""
