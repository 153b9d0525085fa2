"""Signatures: keys, the formats in which signatures are stored, and how one is verified."""
