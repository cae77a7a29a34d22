"""What rules do: record, and tell others."""
