"""What becomes of tools after admission: states, approvals, aliases, and their way to other installations."""

"""Tools after their admission: what is seen of them in use, and what changes because of it."""
