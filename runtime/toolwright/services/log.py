"""The services' log: one JSON object a line, through the standard `logging`, so never on stdout by itself."""

from __future__ import annotations

import logging

import structlog


def service_log(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that writes JSON (control characters escaped) to the standard logger `name`."""
    log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
    )
    return log
