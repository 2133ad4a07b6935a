"""One key for each person, kept apart from the database and its backups; destroying it erases what it opens, everywhere."""
