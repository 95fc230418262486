"""Worker processes: what runs tasks in one of them, and what starts and keeps alive several."""
