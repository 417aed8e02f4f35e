"""`python -m provisioning`: one provisioning worker."""

from common import service

from provisioning.app import build
from provisioning.settings import Settings

service.run("provisioning", Settings(), build)
