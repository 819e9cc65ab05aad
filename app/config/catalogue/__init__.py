"""The data about models that comes with the gateway, and how it is read."""

from __future__ import annotations

from app.config.catalogue.reading import CatalogueError, read_catalogue

__all__ = ["CatalogueError", "read_catalogue"]
