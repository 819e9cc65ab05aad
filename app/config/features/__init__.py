"""The sections of single features, one file each."""
