"""The files of packaging/cluster, as far as they can be tried on one computer without a card.

Ray listens on all addresses, so it runs in a network namespace of its own. It is installed by no
extra of ours: `pip install "ray[serve]"` before, or the test is left out.
"""

import base64
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from core.checkpoint.folder import built_in_model
from core.resources import SAMPLES

CLUSTER = Path(__file__).parents[1] / "packaging" / "cluster"

# Ray takes a part of itself that is slow to start for a broken one, and starts it anew, which then
# is as slow: on a busy machine its address would never be ready.
PATIENT = {
    "RAY_gcs_server_port_wait_time_s": "300",
    "RAY_SERVE_PROXY_READY_CHECK_TIMEOUT_S": "300",
    "RAY_SERVE_PROXY_HEALTH_CHECK_TIMEOUT_S": "300",
}

# Runs inside the namespace: asks 8 at once, then 16 while one of the two servers is killed.
ASK = """
import base64, json, subprocess, sys, time, urllib.request
from concurrent.futures import ThreadPoolExecutor
import psutil

script, model, file = sys.argv[1:]
images = json.load(open(file))
port = "8123"
how = ["--replicas", "2", "--cpus", "0.25", "--port", port]
server = subprocess.Popen([sys.executable, script, model, *how], stdout=subprocess.PIPE, text=True)
while "ready" not in (line := server.stdout.readline()):
    assert line, "Ray Serve ended"

def ask(image):
    content = [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64," + image}},
        {"type": "text", "text": "Please describe this image in detail."},
    ]
    messages = [{"role": "user", "content": content}]
    body = {"model": model, "max_tokens": 8, "stream": False, "messages": messages}
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/chat/completions",
        json.dumps(body).encode(),
        {"content-type": "application/json"},
    )
    for _ in range(100):
        try:
            with urllib.request.urlopen(request, timeout=300) as reply:
                return json.load(reply)["choices"][0]["message"]["content"]
        except OSError:  # A replica that was killed is replaced meanwhile.
            time.sleep(1)
    raise TimeoutError

with ThreadPoolExecutor(8) as pool:
    first = list(pool.map(ask, images * 2))
    inner = [
        child
        for child in psutil.Process(server.pid).children(recursive=True)
        if "transformers.cli.transformers" in " ".join(child.cmdline())
    ]
    jobs = [pool.submit(ask, image) for image in images * 4]
    inner[0].kill()
    second = [job.result() for job in jobs]
server.terminate()
server.wait()
print(json.dumps({"servers": len(inner), "first": first, "second": second}))
"""


@pytest.mark.parametrize("path", sorted(CLUSTER.glob("*.yaml")), ids=lambda path: path.name)
def test_manifest_can_be_read_and_has_no_secret(path):
    documents = list(yaml.safe_load_all(path.read_text("utf-8")))
    assert all(documents)
    assert "HF_TOKEN" not in path.read_text("utf-8")


@pytest.mark.parametrize("path", sorted(CLUSTER.glob("*.sh")), ids=lambda path: path.name)
def test_script_is_whole_and_listens_on_this_computer_alone(path):
    assert path.stat().st_mode & 0o100
    assert "HOST:-127.0.0.1" in path.read_text("utf-8")
    if bash := shutil.which("bash"):
        subprocess.run([bash, "-n", str(path)], check=True)


def has_namespaces() -> bool:
    unshare = shutil.which("unshare")
    if unshare is None or sys.platform != "linux":
        return False
    up = [unshare, "-n", "sh", "-c", "ip link set lo up"]
    return subprocess.run(up, capture_output=True, check=False).returncode == 0


@pytest.mark.slow
@pytest.mark.skipif(
    importlib.util.find_spec("ray") is None or not has_namespaces(),
    reason="Ray, or the right to make a network namespace, is missing",
)
def test_two_replicas_of_ray_serve_answer_all_while_one_server_is_killed(tmp_path):
    images = [base64.b64encode(p.read_bytes()).decode() for p in sorted(SAMPLES.glob("*.png"))[:4]]
    script = tmp_path / "ask.py"
    script.write_text(ASK, "utf-8")
    files = tmp_path / "images.json"
    files.write_text(json.dumps(images), "utf-8")
    up = 'ip link set lo up; exec "$@"'
    ran = subprocess.run(
        ["unshare", "-n", "sh", "-c", up, "sh", sys.executable, str(script),
         str(CLUSTER / "ray_serve_transformers.py"), str(built_in_model()), str(files)],
        env=os.environ | PATIENT, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr[-3000:]
    report = json.loads(ran.stdout.splitlines()[-1])
    assert report["servers"] == 2
    assert len(report["second"]) == 16
    assert report["second"] == report["first"] * 2
    assert len(set(report["first"])) == 4
