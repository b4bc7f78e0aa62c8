"""One call: validate, queue, lease, run, record."""
