"""Measures what a call costs: ours and the cheapest ways there are, in one run, so that the ratio can be trusted."""
