"""Solving one request: dispatcher, and the light model calls."""
