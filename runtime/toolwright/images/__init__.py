"""Sandbox images: build, list, inspect."""
