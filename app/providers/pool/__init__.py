"""An HTTP/1.1 client for the hot path: our own connection pool on asyncio protocols and httptools."""

from app.providers.pool.options import PoolOptions, TlsOptions
from app.providers.pool.pool import PoolClient

__all__ = ["PoolClient", "PoolOptions", "TlsOptions"]
