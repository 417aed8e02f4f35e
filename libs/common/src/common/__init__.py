"""What every service shares: messages, bus, databases, settings, logs. It knows no service."""
