"""Sandboxes and pools of them. Knows nothing of registered tools, models or gRPC."""
