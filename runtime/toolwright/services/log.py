"""The services' log: one JSON object a line, through the standard `logging`, so never on stdout by itself."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Final

import structlog
from structlog.typing import Processor

_PROCESSORS: Final[Sequence[Processor]] = [
    structlog.stdlib.filter_by_level,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
]


def configure_logs() -> None:
    """Send all logs of the process the same way, unless the program has said how it wants them."""
    if not structlog.is_configured():
        structlog.configure(
            logger_factory=structlog.stdlib.LoggerFactory(),
            wrapper_class=structlog.stdlib.BoundLogger,
            processors=_PROCESSORS,
        )


def service_log(name: str) -> structlog.stdlib.BoundLogger:
    """Return a logger that writes JSON (control characters escaped) to the standard logger `name`."""
    log: structlog.stdlib.BoundLogger = structlog.wrap_logger(
        logging.getLogger(name),
        wrapper_class=structlog.stdlib.BoundLogger,
        processors=_PROCESSORS,
    )
    return log
