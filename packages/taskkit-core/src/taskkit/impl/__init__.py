"""The imports of the first taskkit: each leads to the package that does it now."""
