"""What is asked for, and what has to be written for it. Pure."""
