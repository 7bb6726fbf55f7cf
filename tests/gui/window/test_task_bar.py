"""How far a run is, as the desktop hears it: a real session bus, listened to from outside."""

import shutil
import subprocess
import sys

import pytest

TELL = """
import subprocess
from PySide6.QtWidgets import QApplication, QWidget
from gui.window.task_bar import TaskBar

application = QApplication(["onlooker", "-platform", "offscreen"])
rule = "interface='com.canonical.Unity.LauncherEntry'"
monitor = subprocess.Popen(
    ["dbus-monitor", "--session", rule], stdout=subprocess.PIPE, text=True
)
while "NameLost" not in monitor.stdout.readline():  # From then on it listens.
    pass
bar = TaskBar(QWidget())
bar.show_progress(0.37)
bar.show_progress(0.37)
bar.show_progress(None)
output = ""
while output.count("progress-visible") < 2 or not output.rstrip().endswith("]"):
    output += monitor.stdout.readline()
monitor.terminate()
print(output)
"""


@pytest.mark.skipif(
    not (shutil.which("dbus-run-session") and shutil.which("dbus-monitor")),
    reason="there is no session bus",
)
def test_launcher_hears_the_progress_once_each_time_it_changes():
    command = ["dbus-run-session", "--", sys.executable, "-c", TELL]
    output = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True).stdout
    assert output.count("member=Update") == 2
    assert output.count('string "application://onlooker.desktop"') == 2
    values = [line.split()[-1] for line in output.splitlines() if "variant" in line]
    assert values == ["0.37", "true", "0", "false"]
