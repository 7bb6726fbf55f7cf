import pytest

from core.transcript import Answer, Ending
from gui.widgets.theme import Theme
from gui.window.main_window import MainWindow
from tests.support import window_alone as alone
from tests.support.answer_words import TEXT, evidence_of


@pytest.fixture
def window(qapp, qtbot):
    window = MainWindow(Theme(qapp, "light"), [("Detail", "Describe it.")])
    qtbot.addWidget(window)
    window.resize(1000, 700)
    window.show()
    yield window
    window.drop_zone.previews.close()


@pytest.fixture
def answered(window):
    """The window with one answer whose words are known; gives its text widget."""

    def answered(text=TEXT, evidence=None):
        alone.begin_answer(window, "Describe it.")
        alone.finish(window, Answer(text, Ending.COMPLETE, 9, 1.0))
        index = len(window.transcript_view.exchange_views) - 1
        window.evidence_view.show_evidence(index, evidence or evidence_of(text))
        return window.transcript_view.exchange_views[-1].answer_text

    return answered
