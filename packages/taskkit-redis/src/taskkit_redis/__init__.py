"""taskkit on Redis and Valkey: standalone, behind Sentinel, and on a Cluster."""
