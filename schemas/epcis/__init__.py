"""The adapter for EPCIS 2.0 (GS1, ISO/IEC 19987): from captured EPCIS events to events of ours. Pure, no I/O."""
