"""Decisions of messaging, as functions of their arguments."""
