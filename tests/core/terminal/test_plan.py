"""`onlooker plan` is arithmetic on figures that it names."""

import json

import pytest

from core.terminal.main import main
from core.terminal.plan import CAPTIONS_PER_CARD, Job, row


def planned(capsys, *arguments):
    assert main(["plan", *arguments]) == 0
    return capsys.readouterr().out


def test_plan_counts_hours_bandwidth_storage_and_cost(capsys):
    how = ["--captions-per-second", "50", "--megabytes", "2", "--price-per-card-hour", "3"]
    plan = json.loads(planned(capsys, "--images", "3.6e8", "--cards", "1,100", "--json", *how))
    one, many = plan["rows"]
    assert (one["seconds"], many["seconds"]) == (7_200_000, 72_000)
    assert (one["bytes_per_second"], many["bytes_per_second"]) == (100e6, 10e9)
    assert one["card_hours"] == many["card_hours"] == 2000
    assert one["cost"] == many["cost"] == 6000
    assert plan["storage"]["images"] == 720e12
    assert "Ray Data" in plan["advice"]


def test_several_cards_may_each_be_slower_than_one(capsys):
    job = Job(1000, 1.0, captions_per_second=10, share_of_linear=0.9)
    assert row(job, 1).captions_per_second == 10
    assert row(job, 4).captions_per_second == pytest.approx(36)
    assert row(job, 4).card_hours > row(job, 1).card_hours


def test_plan_names_what_is_measured_and_what_is_given(capsys):
    said = planned(capsys, "--images", "100000")
    assert CAPTIONS_PER_CARD.source in said
    assert "cost" not in said
    said = planned(capsys, "--images", "100000", "--captions-per-second", "7")
    assert CAPTIONS_PER_CARD.source not in said
    assert "7 captions/s of one card: yours" in said


@pytest.mark.parametrize(("images", "way"), [("1e5", "all its cards"), ("2e7", "vLLM on one host"),
                                             ("1e9", "Ray Data")])  # fmt: skip
def test_advice_grows_with_the_number_of_images(capsys, images, way):
    assert way in planned(capsys, "--images", images)
