"""What becomes of tools after admission: states, approvals, aliases, and their way to other installations."""
