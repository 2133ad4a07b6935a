"""The road from an empty database to tables.py, one file a step; a step is never edited once it was released."""
