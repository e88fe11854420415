"""The stock agent: positions per site and item, from movements, counts and what is in transit."""
