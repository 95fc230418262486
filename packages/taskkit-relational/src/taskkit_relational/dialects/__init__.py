"""What each database says, in its own SQL: the methods of ``statements.Statements``."""
