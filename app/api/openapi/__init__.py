"""What `/openapi.json` says: of hot routes, of which FastAPI knows nothing, and of others, where it is wrong."""
