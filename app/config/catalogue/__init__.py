"""The built-in catalogue of models, and its reader."""
