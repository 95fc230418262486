"""taskkit on relational databases: the rules on rows, and the SQL of each database."""
