"""The machine under the sandboxes, by its engine's own account: versions against floors, and the host's layers."""
