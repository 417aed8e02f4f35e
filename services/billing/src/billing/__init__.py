"""Money and limits: holds before an act, postings after it, caps that are never passed."""
