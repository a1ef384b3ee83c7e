"""For all tests: logs as plain lines, so that a failing test shows them and none is slow."""

import structlog


def pytest_configure() -> None:
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.format_exc_info,
            structlog.processors.KeyValueRenderer(),
        ],
        cache_logger_on_first_use=False,
    )
