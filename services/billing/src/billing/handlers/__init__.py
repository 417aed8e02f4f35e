"""What comes in: events that move money, orders, queries."""
