"""Run by Alembic."""

from billing.store import metadata
from common.migrate import run_environment

run_environment(metadata)
