import json
import shutil
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from core.checkpoint.folder import read_checkpoint
from core.device.choice import choose_dtype
from core.errors import Cancelled, CheckpointError, OutOfMemory
from core.open_engine import open_engine
from core.transcript import ModelChoice, Precision, Request, Sampling, Turn
from tests.support.loading_peak import measure
from tests.support.tiers import slowly
from tests.support.tiny_llava import (
    TINY,
    random_weights,
    write_adapter,
    write_fast_tokenizer,
    write_original_layout,
    write_tower,
    write_transformers_layout,
)


def said(engine, picture, tokens=12):
    """The ids of a greedy answer: a fingerprint of the whole model."""
    request = Request(picture, (Turn("What is this?"),), Sampling(max_new_tokens=tokens))
    return engine.answer(request, lambda piece: None, threading.Event()).output_ids


def logits(engine, picture):
    """Of every position of a prompt with a picture, through the engine's own splice."""
    path = engine._generate_path
    inputs = engine._prepare(Request(picture, (Turn("What is this?"),)))
    with torch.inference_mode():
        embeddings = path.embed(inputs, path.encode(picture.pixels, inputs).features)
        return engine._model(inputs_embeds=embeddings).logits, inputs


@pytest.fixture
def original(tmp_path):
    """A folder in the original layout to be spoiled."""
    return write_original_layout(tmp_path / "spoiled")


def change_config(folder: Path, **changes):
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


# ---- both layouts


def test_both_layouts_give_the_same_logits(
    opened, tiny_transformers_layout, tiny_original_layout, picture
):
    ours = [logits(opened(f), picture)[0] for f in (tiny_transformers_layout, tiny_original_layout)]
    assert ours[0].shape[-1] == TINY.vocabulary
    assert torch.equal(ours[0], ours[1])


def test_logits_are_those_of_plain_transformers(opened, tiny_transformers_layout, picture):
    from transformers import LlavaForConditionalGeneration

    plain = LlavaForConditionalGeneration.from_pretrained(
        tiny_transformers_layout, dtype=torch.float32
    )
    ours, inputs = logits(opened(tiny_transformers_layout), picture)
    image = [TINY.vocabulary] * TINY.image_tokens
    ids = [i for given in inputs.input_ids for i in (image if given == -200 else [given])]
    with torch.inference_mode():
        theirs = plain(
            input_ids=torch.tensor([ids]), pixel_values=torch.from_numpy(inputs.pixel_values)
        ).logits
    assert theirs.shape[-1] == TINY.vocabulary + TINY.spare_rows
    torch.testing.assert_close(ours, theirs[..., : TINY.vocabulary], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shards", [1, 3])
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_original_layout_loads_from_any_kind_of_files(
    opened, tmp_path, engine, picture, suffix, shards
):
    folder = write_original_layout(tmp_path / "model", suffix=suffix, shards=shards)
    assert said(opened(folder), picture) == said(engine, picture)


@pytest.mark.parametrize("model_type", ["llava", "llava_llama", "anything"])
def test_model_type_says_nothing(opened, tmp_path, engine, picture, model_type):
    folder = write_original_layout(tmp_path / "model", model_type=model_type)
    assert said(opened(folder), picture) == said(engine, picture)


def test_tower_among_the_weights_counts_only_when_it_was_trained(opened, tmp_path, engine, picture):
    folder = write_original_layout(tmp_path / "model", unfreeze_mm_vision_tower=True)
    assert said(opened(folder), picture) != said(engine, picture)


@pytest.mark.parametrize("place", ["absolute", "inside", "beside"])
def test_vision_tower_is_found(opened, tmp_path, engine, picture, place):
    folder = write_original_layout(tmp_path / "model")
    tower = {
        "absolute": tmp_path / "elsewhere" / "tower",
        "inside": folder / "clip-vit-tiny",
        "beside": tmp_path / "clip-vit-tiny",
    }[place]
    shutil.copytree(folder / "clip", tower)
    shutil.rmtree(folder / "clip")
    named = str(tower) if place == "absolute" else "openai/clip-vit-tiny"
    change_config(folder, mm_vision_tower=named)
    assert said(opened(folder), picture) == said(engine, picture)


def test_vision_tower_and_model_are_found_in_the_hub_cache(
    opened, tmp_path, engine, picture, monkeypatch
):
    cache = tmp_path / "hub"
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(cache))
    revision = "0" * 40
    for hub_id in ("openai/clip-tiny", "someone/llava-tiny"):
        repo = cache / f"models--{hub_id.replace('/', '--')}"
        (repo / "refs").mkdir(parents=True)
        (repo / "refs" / "main").write_text(revision)
        (repo / "snapshots").mkdir()
    tower = cache / "models--openai--clip-tiny" / "snapshots" / revision
    model = cache / "models--someone--llava-tiny" / "snapshots" / revision
    write_original_layout(model, mm_vision_tower="openai/clip-tiny")
    shutil.move(model / "clip", tower)
    loaded = opened("someone/llava-tiny")
    assert said(loaded, picture) == said(engine, picture)
    assert loaded.facts.model == "someone/llava-tiny"


def test_tied_embeddings_serve_as_the_head(opened, tmp_path, picture):
    weights = random_weights()
    weights["lm_head.weight"] = weights["model.embed_tokens.weight"]
    whole = write_transformers_layout(tmp_path / "whole", weights)
    tied = write_transformers_layout(tmp_path / "tied", weights, tie_word_embeddings=True)
    for path in tied.glob("*.safetensors"):
        tensors = load_file(path)
        tensors.pop("language_model.lm_head.weight", None)
        save_file(tensors, path)
    index = tied / "model.safetensors.index.json"
    content = json.loads(index.read_text())
    del content["weight_map"]["language_model.lm_head.weight"]
    index.write_text(json.dumps(content))
    # The spare rows of head and embedding are drawn apart; neither is ever used.
    assert said(opened(tied), picture) == said(opened(whole), picture)


def test_folder_saved_by_transformers_itself_loads(opened, tmp_path, engine, picture):
    from transformers import LlavaForConditionalGeneration

    published = write_transformers_layout(tmp_path / "published")
    plain = LlavaForConditionalGeneration.from_pretrained(published)
    plain.save_pretrained(tmp_path / "saved")
    shutil.copy(published / "tokenizer.model", tmp_path / "saved")
    assert said(opened(tmp_path / "saved"), picture) == said(engine, picture)


def test_tokenizer_json_does_instead_of_tokenizer_model(opened, tmp_path, picture):
    folder = write_transformers_layout(tmp_path / "model")
    (folder / "tokenizer.model").unlink()
    write_fast_tokenizer(folder)
    engine = opened(folder)
    assert len(said(engine, picture)) == 12


# ---- device and precision


def test_every_precision_loads_on_the_processor(opened, tiny_original_layout):
    facts = [opened(tiny_original_layout, dtype).facts for dtype in ("float32", "bfloat16")]
    assert [fact.dtype for fact in facts] == ["float32", "bfloat16"]
    assert facts[0].memory_bytes == 2 * facts[1].memory_bytes
    assert facts[0].device == "cpu"
    assert facts[0].device_name
    assert facts[0].context_length == TINY.context
    assert facts[0].model == tiny_original_layout.name
    assert not facts[0].knows_only_drawings


def test_precision_follows_the_device():
    assert choose_dtype(Precision.AUTO, torch.device("cuda", 0), 10) is torch.float16
    on_processor = choose_dtype(Precision.AUTO, torch.device("cpu"), 10)
    assert on_processor in (torch.float32, torch.bfloat16)
    assert choose_dtype(Precision.AUTO, torch.device("cpu"), 10**13) is torch.bfloat16


@pytest.mark.parametrize(
    ("choice", "cause"),
    [
        ({"device": "tpu"}, "is not a device"),
        ({"device": "cuda:x"}, "is not a device"),
        ({"device": "cpu", "dtype": "int3"}, "is not a precision"),
        ({"device": "cpu", "dtype": "float16"}, "far too slow"),
    ],
)
def test_impossible_choice_is_an_error(tiny_original_layout, choice, cause):
    with pytest.raises(CheckpointError, match=cause):
        open_engine(
            ModelChoice(str(tiny_original_layout), **choice), lambda *_: None, threading.Event()
        )


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a graphics card here")
def test_missing_graphics_card_is_an_error(tiny_original_layout):
    with pytest.raises(CheckpointError, match=r"no CUDA graphics card|processor only"):
        open_engine(
            ModelChoice(str(tiny_original_layout), "cuda"), lambda *_: None, threading.Event()
        )


def test_too_little_memory_is_said_before_loading(opened, tiny_original_layout, monkeypatch):
    monkeypatch.setattr("core.device.choice.free_memory", lambda device: 100_000)
    stages = []
    with pytest.raises(OutOfMemory, match=r"needs 303 MB .* 100 kB is free\. Close"):
        opened(tiny_original_layout, on_progress=lambda fraction, stage: stages.append(stage))
    assert "Loading the weights" not in stages


# ---- progress and cancelling


def test_loading_reports_growing_fractions_and_its_stages(opened, tiny_original_layout):
    reports = []
    opened(tiny_original_layout, on_progress=lambda *report: reports.append(report))
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert len({stage for _, stage in reports}) >= 5


def test_loading_can_be_cancelled_between_two_tensors(opened, tiny_original_layout):
    stop = threading.Event()
    loading = []

    def on_progress(fraction, stage):
        if stage == "Loading the weights":
            loading.append(fraction)
            stop.set()

    with pytest.raises(Cancelled):
        opened(tiny_original_layout, on_progress=on_progress, stop=stop)
    assert len(loading) == 1


def test_memory_used_up_while_loading_is_said(opened, tiny_original_layout):
    def on_progress(fraction, stage):
        if stage == "Loading the weights":
            raise torch.OutOfMemoryError("no more")

    with pytest.raises(OutOfMemory, match="out of memory"):
        opened(tiny_original_layout, on_progress=on_progress)


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_original_layout_is_loaded_without_a_second_copy(tmp_path, suffix):
    sizes = replace(TINY, hidden=1024, mlp=4096, layers=8, heads=8)
    folder = tmp_path / "middling"
    weights = random_weights(sizes)
    write_original_layout(folder, weights, sizes, suffix=suffix, shards=4)
    largest = max(path.stat().st_size for path in folder.glob(f"*.{suffix}"))
    peak, model = measure(folder, "cpu", "bfloat16")
    assert model > 250_000_000
    # On a processor the model itself is host memory; on CUDA only the second term is.
    assert peak < model + 1.3 * largest


# ---- what is wrong with a folder


def test_missing_model_is_an_error(opened):
    with pytest.raises(CheckpointError, match=r"The model .*nowhere.* is not on this computer"):
        opened("someone/nowhere")
    with pytest.raises(CheckpointError, match="There is no model"):
        opened("/nowhere/at all/✗")


def test_file_instead_of_a_folder_is_an_error(opened, original):
    with pytest.raises(CheckpointError, match="is a file"):
        opened(original / "config.json")


def test_folder_without_config_is_an_error(opened, tmp_path):
    with pytest.raises(CheckpointError, match=r"with config\.json"):
        opened(tmp_path)
    (tmp_path / "mm_projector.bin").touch()
    with pytest.raises(CheckpointError, match="only a projector"):
        opened(tmp_path)


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_broken_config_is_an_error(opened, original, text):
    (original / "config.json").write_text(text, encoding="latin-1")
    with pytest.raises(CheckpointError, match="Download it again"):
        opened(original)


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"architectures": ["LlamaForCausalLM"]}, "its architecture is LlamaForCausalLM"),
        ({"architectures": ["LlavaNextVideoLlamaForCausalLM"]}, "its architecture is LlavaNext"),
        ({"architectures": ["LlavaMistralForCausalLM"]}, "its architecture is LlavaMistral"),
        ({"image_aspect_ratio": "anyres"}, "tiles"),
        ({"mm_patch_merge_type": "spatial_unpad"}, "tiles"),
        ({"mm_use_im_start_end": True}, "marks around the image"),
        ({"mm_projector_type": "linear"}, "projector is linear"),
        ({"mm_vision_select_feature": "cls_patch"}, "other image features"),
        ({"mm_vision_select_layer": -9}, "from layer -9"),
        ({"quantization_config": {"load_in_4bit": True}}, "already quantised"),
        ({"auto_map": {"AutoModel": "code.Model"}}, "program code"),
        ({"mm_vision_tower": None}, "does not name its vision tower"),
        ({"mm_vision_tower": "openai/clip-missing"}, "not on this computer"),
        ({"hidden_size": 50}, "no valid model"),
        ({"hidden_size": -4}, "hidden_size is -4"),
        ({"num_hidden_layers": 10**9}, "is invalid|an impossible"),
        ({"vocab_size": "many"}, "is invalid|an impossible"),
        ({"hidden_act": "no such"}, "no valid model"),
        ({"rope_scaling": {"type": "no such", "factor": 2.0}}, "no valid model"),
        ({"vocab_size": 300}, "tokenizer has 420 pieces"),
    ],
)
def test_foreign_or_impossible_settings_are_refused(opened, original, changes, cause):
    change_config(original, **changes)
    with pytest.raises(CheckpointError, match=cause) as raised:
        opened(original)
    assert raised.value.message.endswith(".")


def test_setting_that_must_be_there_is_named(opened, original):
    path = original / "config.json"
    config = json.loads(path.read_text())
    del config["hidden_size"]
    path.write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="lacks hidden_size"):
        opened(original)


@pytest.mark.parametrize(
    "changes",
    [
        {"text_config": {"model_type": "mistral"}},
        {"vision_config": {"model_type": "siglip_vision_model"}},
        {"vision_feature_select_strategy": "full"},
        {"vision_feature_layer": [-2, -5]},
        {"projector_hidden_act": "relu"},
    ],
)
def test_llava_of_other_parts_is_for_transformers_to_run(tmp_path, changes):
    assert read_checkpoint(write_transformers_layout(tmp_path / "plain")) is not None
    assert read_checkpoint(write_transformers_layout(tmp_path / "model", **changes)) is None


# ---- LoRA


@pytest.fixture
def lora(tmp_path):
    """A LoRA beside the base that it names, without a projector; and the merged model's weights."""

    def write(suffix="bin", **how):
        weights = random_weights(dtype=torch.float32)
        write_original_layout(tmp_path / "vicuna", weights)
        (tmp_path / "vicuna" / "config.json").unlink()
        folder = tmp_path / "llava-lora"
        write_original_layout(folder, weights)
        for path in (*folder.glob("model*"), folder / "tokenizer.model"):
            path.unlink()
        changed = write_adapter(folder, "lmsys/vicuna", suffix=suffix, **how)
        merged = {
            name: changed[name].float() + ("mm_projector" not in name) * tensor
            if name in changed
            else tensor
            for name, tensor in weights.items()
        }
        return folder, merged

    return write


@pytest.mark.parametrize("suffix", ["bin", "safetensors"])
def test_lora_of_the_original_gives_the_logits_of_the_merged_model(
    opened, tmp_path, picture, lora, suffix
):
    folder, merged = lora(suffix)
    whole = write_original_layout(tmp_path / "merged", merged)
    ours, theirs = (logits(opened(path), picture)[0] for path in (folder, whole))
    torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)
    base = write_original_layout(tmp_path / "base", random_weights(dtype=torch.float32))
    assert not torch.allclose(ours, logits(opened(base), picture)[0], atol=1e-2)


def test_scale_of_a_rank_stabilised_lora_is_its_own(opened, picture, lora):
    plain, _ = lora()
    before = logits(opened(plain), picture)[0]
    change_settings(plain / "adapter_config.json", use_rslora=True)
    assert not torch.allclose(logits(opened(plain), picture)[0], before, atol=1e-2)


def change_settings(path: Path, **changes):
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.mark.parametrize(
    ("changes", "cause"),
    [
        ({"base_model_name_or_path": "someone/elsewhere"}, "LoRA for the model “someone/elsewhere"),
        ({"base_model_name_or_path": None}, "does not name its base model"),
        ({"modules_to_save": ["lm_head"]}, "uses modules_to_save"),
        ({"megatron_config": {"a": 1}}, "uses megatron_config"),
        ({"init_lora_weights": "pissa_niter_4"}, "uses pissa_niter_4"),
        ({"peft_type": "IA3"}, "uses IA3"),
        ({"bias": "all"}, "uses bias"),
        ({"rank_pattern": {"(.*)*x": 4}}, "damaged"),
        ({"rank_pattern": {"q_proj": 10**12}}, "damaged"),
        ({"alpha_pattern": ["q_proj"]}, "damaged"),
        ({"r": 0}, "damaged"),
        ({"lora_alpha": "eight"}, "damaged"),
    ],
)
def test_lora_that_cannot_be_used_is_refused(opened, lora, changes, cause):
    folder, _ = lora()
    change_settings(folder / "adapter_config.json", **changes)
    with pytest.raises(CheckpointError, match=cause):
        opened(folder)


@pytest.mark.parametrize(
    "how",
    [
        {},
        {"use_rslora": True},
        {"target_modules": ["q_proj", "v_proj"]},
        {"rank_pattern": {"q_proj": 2}, "alpha_pattern": {"layers.1.mlp.up_proj": 40}},
        {"use_dora": True},
        {"use_dora": True, "use_rslora": True, "rank_pattern": {"down_proj": 7}},
    ],
)
@pytest.mark.parametrize("dtype", [slowly("float32"), "bfloat16"])
@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing:FutureWarning")  # In peft.
def test_lora_becomes_what_peft_itself_makes_of_it(opened, lora, how, dtype):
    peft = pytest.importorskip("peft")
    folder, _ = lora()
    base = folder.parent / "vicuna"
    model = llama_of(base)
    modules = [f"{kind}_proj" for kind in ("q", "k", "v", "o", "gate", "up", "down")]
    config = peft.LoraConfig(
        **{"r": 4, "lora_alpha": 6, "target_modules": modules, "init_lora_weights": False} | how
    )
    wrapped = peft.PeftModel(model, config)
    generator = torch.Generator().manual_seed(5)
    for name, parameter in wrapped.named_parameters():
        if "magnitude" in name:
            factors = 0.5 + torch.rand(parameter.shape, generator=generator)
            parameter.data *= factors
    for path in folder.glob("adapter*"):
        path.unlink()
    wrapped.save_pretrained(folder)
    change_settings(folder / "adapter_config.json", base_model_name_or_path=str(base))
    mine = opened(folder, dtype)._model
    theirs = wrapped.merge_and_unload().state_dict()
    compared = 0
    for name, weight in mine.model.language_model.state_dict().items():
        if "proj" in name:
            wanted = theirs[f"model.{name}"].to(weight.dtype)
            # The base is rounded before the sum there, and after it here.
            tolerance = 1e-5 if dtype == "float32" else 2e-2
            torch.testing.assert_close(weight, wanted, atol=tolerance, rtol=tolerance)
            compared += 1
    assert compared == 7 * TINY.layers


def llama_of(base: Path):
    """transformers' own language model with the weights that `base` has."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=TINY.vocabulary,
        hidden_size=TINY.hidden,
        intermediate_size=TINY.mlp,
        num_hidden_layers=TINY.layers,
        num_attention_heads=TINY.heads,
    )
    model = LlamaForCausalLM(config)
    weights = {}
    for path in base.glob("*.safetensors"):
        weights |= load_file(path)
    own = {name: weights[name].float() for name in model.state_dict()}
    model.load_state_dict(own)
    return model


def test_lora_of_another_kind_than_the_plain_one_says_that_it_needs_peft(opened, lora, monkeypatch):
    folder, _ = lora()
    change_settings(folder / "adapter_config.json", use_dora=True)
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(CheckpointError, match=r"needs peft. Install onlooker\[lora\]"):
        opened(folder)


def test_lora_without_the_tensors_that_its_kind_has_is_an_error(opened, lora):
    pytest.importorskip("peft")
    folder, _ = lora()
    for changes in ({"use_dora": True}, {"rank_pattern": {"q_proj": 3}}, {"r": 5}):
        before = (folder / "adapter_config.json").read_text()
        change_settings(folder / "adapter_config.json", **changes)
        with pytest.raises(CheckpointError, match="damaged"):
            opened(folder)
        (folder / "adapter_config.json").write_text(before)


def test_lora_of_another_size_or_cut_short_is_an_error(opened, lora):
    folder, _ = lora()
    write_adapter(folder, "lmsys/vicuna", replace(TINY, mlp=64))
    with pytest.raises(CheckpointError, match="does not fit the size"):
        opened(folder)
    (folder / "adapter_model.bin").write_bytes(b"no")
    with pytest.raises(CheckpointError, match="damaged"):
        opened(folder)
    (folder / "adapter_model.bin").unlink()
    with pytest.raises(CheckpointError, match="lacks adapter_model"):
        opened(folder)


def test_lora_in_few_bits_is_refused(opened, lora):
    folder, _ = lora()
    with pytest.raises(CheckpointError, match="Choose 16-bit"):
        opened(folder, "4-bit")


def test_missing_shard_is_named(opened, original):
    (original / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"1 of 3 weight files are missing .model-00002"):
        opened(original)


def test_folder_without_weights_is_an_error(opened, original):
    for path in original.glob("model*"):
        path.unlink()
    with pytest.raises(CheckpointError, match="has no weights"):
        opened(original)


@pytest.mark.parametrize("suffix", ["safetensors", "bin"])
def test_truncated_shard_is_named(opened, tmp_path, suffix):
    folder = write_original_layout(tmp_path / "model", suffix=suffix)
    path = next(folder.glob(f"*-00002-of-*.{suffix}"))
    path.write_bytes(path.read_bytes()[:-1000])
    with pytest.raises(CheckpointError, match=rf"{path.name}.* incomplete"):
        opened(folder)


def test_pickle_with_code_in_it_is_not_run(opened, tmp_path):
    folder = write_original_layout(tmp_path / "model", suffix="bin", shards=1)
    torch.save({"weight": _Evil(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises(CheckpointError, match="is damaged or incomplete"):
        opened(folder)
    assert not (tmp_path / "ran").exists()


class _Evil:
    def __init__(self, path):
        self._path = path

    def __reduce__(self):
        return Path.touch, (self._path,)


def test_wrong_shape_missing_and_unexpected_tensors_are_named(opened, tmp_path):
    weights = random_weights()
    norm = weights.pop("model.norm.weight")
    folder = write_original_layout(tmp_path / "missing", weights, shards=1)
    with pytest.raises(CheckpointError, match=r"lack 1 of \d+ tensors \(.*norm\.weight"):
        opened(folder)
    weights["model.norm.weight"] = norm[:-1].clone()
    folder = write_original_layout(tmp_path / "shape", weights, shards=1)
    with pytest.raises(CheckpointError, match=r"shape 47, but .* 48"):
        opened(folder)
    weights["model.norm.weight"] = norm
    weights["model.image_newline"] = norm.clone()
    folder = write_original_layout(tmp_path / "unexpected", weights, shards=1)
    with pytest.raises(CheckpointError, match=r"holds model\.image_newline"):
        opened(folder)


def test_index_that_names_what_is_not_there_is_an_error(opened, original):
    path = original / "model.safetensors.index.json"
    index = json.loads(path.read_text())
    first = next(iter(index["weight_map"].values()))
    index["weight_map"]["model.layers.9.input_layernorm.weight"] = first
    path.write_text(json.dumps(index))
    with pytest.raises(CheckpointError, match="lacks "):
        opened(original)


def test_folder_without_tokenizer_is_an_error(opened, original):
    (original / "tokenizer.model").unlink()
    with pytest.raises(CheckpointError, match="no tokenizer"):
        opened(original)


def test_tower_of_another_kind_is_refused(opened, original):
    config = original / "clip" / "config.json"
    config.write_text(json.dumps({"model_type": "siglip", "vision_config": {"model_type": "x"}}))
    with pytest.raises(CheckpointError, match="not CLIP"):
        opened(original)


def test_tower_of_other_sizes_is_an_error(opened, original):
    weights = random_weights()
    tower = {n: t for n, t in weights.items() if n.startswith("vision_model.")}
    tower["vision_model.pre_layrnorm.weight"] = torch.ones(8)
    write_tower(original / "clip", tower)
    with pytest.raises(CheckpointError, match="has the shape 8"):
        opened(original)
