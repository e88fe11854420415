"""What earlier releases wrote, read by this one."""
