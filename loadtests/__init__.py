"""Measure the gateway against a floor and a naive proxy; nothing here is part of the product."""
