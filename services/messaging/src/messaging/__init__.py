"""Threads, the inbox, the operations ledger and consent: what was said, what was sent, and what may be."""
