"""Read the configuration: files, environment and defaults become one frozen, checked `Settings`.

The only package that reads the process environment, through a mapping that callers may replace.
It does not depend on the rest of the gateway: `assembly` translates `Settings` into the options of each part.
"""
