"""Attacks on our own sandbox, which an operator can fire at the machine that tools will run on."""
