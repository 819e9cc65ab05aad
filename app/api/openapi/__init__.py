"""The OpenAPI document: describes the hot routes, unknown to FastAPI, and corrects FastAPI's description of others."""
