"""Making a tool: propose ▸ verify ▸ wrap ▸ admit. Each refusal is fed back until the attempts are spent."""
