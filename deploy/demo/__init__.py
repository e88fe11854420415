"""A seeded supply network that makes events as real ones come: late, doubled, corrected and wrong."""
