"""Rows of other people's files become events by a mapping file (docs/mapping.md)."""
