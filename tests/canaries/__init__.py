"""Facts about other people's software that ours leans on.

A canary fails when such a fact changes, which an upgrade may do. Its message says what may be simplified, or
what has to be looked at before the upgrade goes in.
"""
