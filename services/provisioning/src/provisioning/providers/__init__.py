"""Where numbers come from: the port, and one adapter a vendor."""
