"""The batched Faust transport: one message per fetched partition batch."""
