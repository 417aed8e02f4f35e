"""The story of one text, told with real output against a running stack; it stops at the first thing that is not so."""
