"""The lead-time agent: exact statistics per route from whole contributions."""
