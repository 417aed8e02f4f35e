"""What each provider's webhooks look like; one file a vendor."""
