"""Tools after their admission: what is seen of them in use, and what changes because of it."""
