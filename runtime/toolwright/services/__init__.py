"""Thin gRPC handlers: convert, call, map the error."""
