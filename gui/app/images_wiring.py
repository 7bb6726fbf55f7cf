"""The images, the folder's list of them, and their captions. Built and connected here, so that the
program has one part of it to own."""

from __future__ import annotations

from PySide6.QtCore import QObject

from gui.app.bulk_wiring import BulkWiring
from gui.app.caption_wiring import CaptionWiring
from gui.app.counts_wiring import CountsWiring
from gui.app.gone_wiring import GoneWiring
from gui.app.left_edits_wiring import LeftEditsWiring
from gui.app.memory_wiring import MemoryWiring
from gui.app.picture_wiring import PictureWiring
from gui.app.tag_draft_wiring import TagDraftWiring
from gui.app.tasks import Begin
from gui.app.workspace_wiring import WorkspaceWiring
from gui.session.bulk_editing import BulkEditing
from gui.session.caption_editing import CaptionEditing
from gui.session.folder_counts import FolderCounts
from gui.session.gone_images import GoneImages
from gui.session.look_ahead import LookAhead
from gui.session.model_thread import ModelThread
from gui.session.picture_list import PictureList
from gui.session.session import Session
from gui.session.settings_file import SettingsFile
from gui.session.spell_checking import SpellChecking
from gui.session.typed_texts import TypedTexts
from gui.session.unseen_outcomes import UnseenOutcomes
from gui.session.view_memory import ViewMemory
from gui.session.workspace import FolderWorkspace
from gui.window.main_window import MainWindow


class ImagesWiring(QObject):
    """`listing` is the list of images, `memory` what is remembered of how they were looked at."""

    def __init__(
        self,
        window: MainWindow,
        workspace: FolderWorkspace,
        pictures: PictureList,
        session: Session,
        *,
        captions: CaptionEditing,
        bulk: BulkEditing,
        counts: FolderCounts,
        memory: ViewMemory,
        typed: TypedTexts,
        model: ModelThread,
        settings_file: SettingsFile,
        spelling: SpellChecking,
        unseen: UnseenOutcomes,
        begin: Begin,
        parent: QObject | None = None,
    ):
        super().__init__(parent)
        PictureWiring(window, pictures, begin, self)
        LookAhead(model, pictures, begin, self)
        listing = self.listing = WorkspaceWiring(
            window, workspace, captions, bulk, pictures, settings_file, begin, self
        )
        self.memory = MemoryWiring(window, memory, typed, workspace, pictures, begin, self)
        CountsWiring(window, listing, bulk, counts, captions, settings_file, begin, self)
        CaptionWiring(
            window,
            listing,
            workspace,
            captions,
            session,
            settings_file,
            begin,
            self,
            model=model,
            spelling=spelling,
        )
        TagDraftWiring(window, captions, typed, self)
        self.bulk = BulkWiring(window, listing, workspace, bulk, captions, pictures, begin, self)
        GoneWiring(window, GoneImages(session, workspace, begin, self), begin, self)
        LeftEditsWiring(window, workspace, pictures, unseen, begin, self)
