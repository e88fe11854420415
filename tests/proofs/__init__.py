"""What docs/correctness.md promises, as identities over events drawn at random, each with a negative control."""
