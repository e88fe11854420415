"""What may be said on the wire: events, derived records, identifiers and the topic registry."""
