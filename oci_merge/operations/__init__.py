"""The operations that a user runs: merge and inspect."""
