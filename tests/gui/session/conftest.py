import pytest

from core.settings import Settings
from core.store import Store
from gui.session.answer_inspection import AnswerInspection
from gui.session.loaded_model import LoadedModel
from gui.session.picture_list import PictureList
from gui.session.session import Session
from gui.session.settings_file import SettingsFile
from gui.session.workspace import FolderWorkspace


@pytest.fixture
def store(tmp_path):
    store = Store(tmp_path / "transcripts.sqlite")
    yield store
    store.close()


@pytest.fixture
def settings_file(tmp_path):
    return SettingsFile(Settings(), tmp_path)


@pytest.fixture
def loaded(ready, settings_file):
    return LoadedModel(ready, settings_file)


@pytest.fixture
def workspace(run, tmp_path):
    workspace = FolderWorkspace(tmp_path / "program")
    yield workspace
    run(workspace.close())


@pytest.fixture
def pictures(workspace):
    return PictureList(workspace)


@pytest.fixture
def session(run, ready, loaded, pictures, store, settings_file):
    session = Session(ready, loaded, pictures, store, settings_file)
    yield session
    run(session.close())


@pytest.fixture
def inspection(ready, loaded, session, settings_file):
    return AnswerInspection(ready, loaded, session, settings_file.settings)
