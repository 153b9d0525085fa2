"""The operations that a user runs: merge, which resolves, plans and publishes, and inspect."""
