"""The shipments agent: where a shipment is, whether it kept its promise, and what it brings to whom."""
