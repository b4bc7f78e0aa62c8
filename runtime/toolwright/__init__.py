"""Toolwright: makes, verifies and safely runs tools that language models write."""
