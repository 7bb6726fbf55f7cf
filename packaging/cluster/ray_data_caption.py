# pyright: reportMissingImports=false, reportMissingModuleSource=false
"""Captions images in Parquet files with Ray Data, one of Onlooker's engines in each actor.

    python packaging/cluster/ray_data_caption.py IN OUT --model FOLDER --actors 8 --cards 1

IN is a folder of Parquet files with the columns `key` and `image` (a file's bytes); OUT gets
Parquet files with `key`, `caption` and `reason`, which says why an image has no caption. Actors
that die are started again, and their images asked again. Needs Onlooker and "ray[data]" on every
node. Ray's own ports listen on all addresses, so run it in a network of your own, or
in a network namespace: `unshare -n sh -c 'ip link set lo up; exec python …'`.
"""

from __future__ import annotations

import argparse
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import ray

PROMPT = "Please describe this image in detail."


class Captioner:
    """Opens the model once, and captions one batch after another."""

    def __init__(self, model: str, new_tokens: int, slots: int):
        from core.open_engine import open_engine
        from core.transcript import ModelChoice, Sampling

        self._stop = threading.Event()
        self._engine = open_engine(ModelChoice(model), lambda *_: None, self._stop)
        self._sampling, self._slots = Sampling(max_new_tokens=new_tokens), slots

    def __call__(self, batch: dict[str, np.ndarray[Any, Any]]) -> dict[str, Any]:
        """Returns the captions of a batch, in its order."""
        from core.errors import PictureError
        from core.picture import open_picture
        from core.transcript import Request, Turn

        reasons = [""] * len(batch["key"])
        places: dict[int, int] = {}
        captions = list(reasons)
        with tempfile.TemporaryDirectory() as folder:

            def requests() -> Any:
                for place, content in enumerate(batch["image"]):
                    path = Path(folder, str(place))
                    path.write_bytes(content)
                    try:
                        picture = open_picture(path)
                    except PictureError as error:
                        reasons[place] = error.message
                        continue
                    request = Request(picture, (Turn(PROMPT),), self._sampling)
                    places[id(request)] = place
                    kept.append(request)
                    yield request

            kept: list[Any] = []
            for request, answer in self._engine.answer_all(
                requests(), self._stop, slots=self._slots
            ):
                captions[places[id(request)]] = answer.text
        return {"key": batch["key"], "caption": captions, "reason": reasons}


def main() -> None:
    """Captions all of IN."""
    parser = argparse.ArgumentParser(description="Caption images in Parquet files with Ray Data.")
    parser.add_argument("source", metavar="IN")
    parser.add_argument("target", metavar="OUT")
    parser.add_argument("--model", default="built-in")
    parser.add_argument("--actors", type=int, default=1)
    parser.add_argument("--cpus", type=float, default=4, help="of each actor; may be a part")
    parser.add_argument("--cards", type=float, default=1, help="of each actor")
    parser.add_argument("--slots", type=int, default=64, help="images captioned at once")
    parser.add_argument("--batch", type=int, default=512, help="images handed out at once")
    parser.add_argument("--new-tokens", type=int, default=256)
    options = parser.parse_args()
    ray.init(include_dashboard=False)
    images = ray.data.read_parquet(
        options.source, columns=["key", "image"], ray_remote_args={"num_cpus": 0.25}
    )
    # Ray joins files to blocks of 128 MB, and one actor would get a whole block.
    images = images.repartition(target_num_rows_per_block=options.batch)
    captions = images.map_batches(
        Captioner,
        fn_constructor_args=(options.model, options.new_tokens, options.slots),
        batch_size=options.batch,
        concurrency=options.actors,
        num_cpus=options.cpus,
        num_gpus=options.cards or None,
        max_restarts=-1,
        max_task_retries=-1,
    )
    captions.write_parquet(options.target)


if __name__ == "__main__":
    main()
