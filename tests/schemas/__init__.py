"""Tests of what may be said on the wire."""
