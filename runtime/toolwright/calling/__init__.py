"""How a light model calls a tool: one prompt and one loop, for the tries of making and for every later question."""
