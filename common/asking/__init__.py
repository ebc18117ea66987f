"""Questions to people: what is asked, where it stands, and what an answer means. Pure; may import `core` only."""
