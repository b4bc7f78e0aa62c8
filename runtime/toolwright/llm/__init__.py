"""Language models: a Protocol, the OpenAI adapter, the cost ledger, and the offline model."""
