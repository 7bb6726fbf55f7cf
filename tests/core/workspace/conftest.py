"""Workspaces that are closed when a test ends."""

import pytest

from core.workspace.data import ScanStage
from core.workspace.workspace import Workspace
from tests.support.workspaces import scan


@pytest.fixture
def open_workspace(tmp_path):
    """Opens these folders and images, and reads them until a stage; None reads nothing."""
    workspaces = []

    def open_workspace(roots, options, until=ScanStage.FINGERPRINTS):
        workspace = Workspace.open(roots, tmp_path / "data", options)
        workspaces.append(workspace)
        if until is not None:
            scan(workspace, until=until)
        return workspace

    yield open_workspace
    for workspace in workspaces:
        workspace.close()
