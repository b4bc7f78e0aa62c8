"""Answering a question: dispatcher ▸ light model's call ▸ run ▸ answer."""
