"""The data about models that comes with the gateway, and how it is read."""
