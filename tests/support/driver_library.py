"""Stand-ins for NVIDIA's driver: libcuda.so.1 and libnvidia-ml.so.1, compiled from C.

What they answer is in environment variables of the process that loads them:
CUDA (13000; unset: the calls fail), CARDS ("name|bytes|major|minor|bits|MHz;…"), DRIVER
("580.65.06"), and HANG (seconds that the first call takes).
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = r"""
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int version(int *number) {
    if (!getenv("CUDA")) return 999;
    *number = atoi(getenv("CUDA"));
    return 0;
}
static int start(void) {
    if (getenv("HANG")) sleep(atoi(getenv("HANG")));
    return getenv("CUDA") ? 0 : 100;
}
static int part(long card, int which, char *text, int room) {
    char copy[1000];
    snprintf(copy, sizeof copy, "%s", getenv("CARDS") ? getenv("CARDS") : "");
    char *rest = copy, *one = 0;
    for (long i = 0; i <= card; i++) if (!(one = strsep(&rest, ";")) || !*one) return 1;
    for (int i = 0; i <= which; i++) text[0] = 0, snprintf(text, room, "%s", strsep(&one, "|"));
    return 0;
}
static int count(void) {
    char text[200];
    int cards = 0;
    while (!part(cards, 0, text, 200)) cards++;
    return cards;
}
static long long number(long card, int which) {
    char text[200];
    return part(card, which, text, 200) ? 0 : atoll(text);
}
#ifdef NVML
int nvmlInit_v2(void) { return start(); }
int nvmlShutdown(void) { return 0; }
int nvmlSystemGetCudaDriverVersion_v2(int *n) { return version(n); }
int nvmlSystemGetDriverVersion(char *text, unsigned room) {
    snprintf(text, room, "%s", getenv("DRIVER"));
    return 0;
}
int nvmlDeviceGetCount_v2(unsigned *n) { *n = count(); return 0; }
int nvmlDeviceGetHandleByIndex_v2(unsigned i, void **d) { *d = (void *)(long)i; return 0; }
int nvmlDeviceGetName(void *d, char *text, unsigned room) { return part((long)d, 0, text, room); }
int nvmlDeviceGetMemoryInfo(void *d, unsigned long long *m) { m[0] = number((long)d, 1); return 0; }
int nvmlDeviceGetCudaComputeCapability(void *d, int *a, int *b) {
    *a = number((long)d, 2);
    *b = number((long)d, 3);
    return 0;
}
#ifdef BANDWIDTH
int nvmlDeviceGetMemoryBusWidth(void *d, unsigned *n) { *n = number((long)d, 4); return 0; }
int nvmlDeviceGetMaxClockInfo(void *d, int kind, unsigned *n) {
    *n = kind == 2 ? number((long)d, 5) : 0;
    return 0;
}
#endif
#else
int cuDriverGetVersion(int *n) { return version(n); }
int cuInit(unsigned flags) { return start(); }
int cuDeviceGetCount(int *n) { *n = count(); return 0; }
int cuDeviceGet(int *d, int i) { *d = i; return 0; }
int cuDeviceGetName(char *text, int room, int d) { return part(d, 0, text, room); }
int cuDeviceTotalMem_v2(size_t *n, int d) { *n = number(d, 1); return 0; }
int cuDeviceGetAttribute(int *n, int which, int d) {
    int places[] = {[75] = 2, [76] = 3, [37] = 4, [36] = 5};
    *n = number(d, places[which]) * (which == 36 ? 1000 : 1);
    return 0;
}
#endif
"""


def build(folder: Path, *, nvml: bool = True, bandwidth: bool = True) -> Path:
    """Compiles the libraries into `folder`, NVML perhaps without what old ones lack.

    Skips the test where there is no compiler.
    """
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs a C compiler and Linux")
    kinds = {"libcuda.so.1": ()} | (
        {"libnvidia-ml.so.1": ("-DNVML", *(["-DBANDWIDTH"] if bandwidth else []))} if nvml else {}
    )
    for name, options in kinds.items():
        target = str(folder / name)
        subprocess.run(
            [compiler, "-D_GNU_SOURCE", "-shared", "-fPIC", *options, "-o", target, "-xc", "-"],
            input=_SOURCE.encode(),
            check=True,
        )
    return folder
