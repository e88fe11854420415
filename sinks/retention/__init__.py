"""Retention: old records leave the history, and what they add up to stays, as openings."""
