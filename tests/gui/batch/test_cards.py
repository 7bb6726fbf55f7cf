"""Which graphics cards a folder run uses, chosen in the window."""

import pytest

from core.batch import Phase
from core.device.memory import Card
from gui.batch.run_controls import RunAction
from tests.gui.batch.folder_page import chosen, click, phase, texts
from tests.gui.conftest import until

CARDS = [Card(number, f"Card {number}", 24_000_000_000, 0) for number in range(3)]


def test_cards_are_offered_where_there_are_several(live, folder):
    async def story(program, panel):
        await chosen(program, panel, folder)
        click(panel.controls.more_button)
        more = panel.form.more
        for shown in ([], CARDS[:1], CARDS, CARDS[:2], []):
            more.show_cards(shown)
            boxes = [box.text() for box in more.card_boxes.boxes]
            assert boxes == ([str(card.index) for card in shown] if len(shown) > 1 else [])
            assert more.card_boxes.isVisible() == (len(shown) > 1)
            assert more.devices == ()

    live(story)


@pytest.mark.parametrize("left_out", [(), (2,), (1, 2)])
def test_run_uses_the_chosen_cards_and_outlives_those_that_are_not_there(
    live, folder, checkpoint, left_out
):
    """The loaded model is on cuda:0, and this computer has none of the others."""
    checkpoint.facts = {"device": "cuda:0"}

    async def story(program, panel):
        await chosen(program, panel, folder)
        panel.form.prompt_edit.setPlainText("say 2 words")
        click(panel.controls.more_button)
        panel.form.more.show_cards(CARDS)
        for number in left_out:
            click(panel.form.more.card_boxes.boxes[number])
        click(panel.controls.buttons[RunAction.START])
        await until(lambda: phase(program) is Phase.OVER)
        assert len(texts(folder)) == 4

    live(story)
