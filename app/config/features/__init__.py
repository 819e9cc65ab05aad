"""The sections of single features, a file for each."""
