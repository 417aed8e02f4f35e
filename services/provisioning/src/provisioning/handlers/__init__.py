"""What comes in: orders and queries, by noun."""
