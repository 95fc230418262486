"""The statements of MySQL and MariaDB."""
