"""Answers authentication challenges."""
