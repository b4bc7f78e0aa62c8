"""Making a tool: propose, verify, wrap."""
