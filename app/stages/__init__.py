"""The concerns around a call: one stage, one file, one options type. Their order is in `app/assembly/stages.py`."""
