"""News for people: which there is, who is told, how it is worded, and that it arrives."""
