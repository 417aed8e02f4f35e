"""`python -m switchboard`."""

from switchboard.main import app

app()
