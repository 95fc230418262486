"""taskkit in plain files: ``taskkit.Kit.connect("filestore:///var/lib/tasks")``."""
