"""The stages of the pipeline, one per file, each with one options type. `app/assembly/stages.py` sets their order."""
