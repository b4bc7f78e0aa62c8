"""How a database gets to the tables of `tables.py`, one numbered step after another."""
