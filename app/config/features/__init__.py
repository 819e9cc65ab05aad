"""The sections of features, a file per topic."""
