"""The orders agent: an order's lines from what was ordered, announced and delivered."""
