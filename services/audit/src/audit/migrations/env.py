"""Run by Alembic."""

from audit.store import metadata
from common.migrate import run_environment

run_environment(metadata)
