"""The whole house on one machine: what to start, where, and how to keep it up."""
