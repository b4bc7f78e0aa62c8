"""Sandbox images: their recipes, how they are built from Debian packages, and which of them the engine holds."""
