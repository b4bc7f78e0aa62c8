"""Where it was measured: without that no figure means anything."""

from __future__ import annotations

import platform
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import grpc
import psutil

from toolwright.sandbox.engine import Engine


def machine_facts(engine: Engine, runtime: str) -> dict[str, Any]:
    """Return what is to be known of the machine, its load at this moment included."""
    versions = _versions(engine)
    return {
        "cores": psutil.cpu_count(),
        "processor": _processor(),
        "memory_bytes": psutil.virtual_memory().total,
        "load_average": psutil.getloadavg()[0],
        "kernel": platform.release(),
        "architecture": platform.machine(),
        "python": platform.python_version(),
        "grpc": grpc.__version__,
        "engine": engine.version,
        "runtime": runtime,
        "runtime_version": versions.get("runc" if runtime == "runc" else runtime, ""),
        "containerd": versions.get("containerd", ""),
        "cgroup_version": str(engine.info.get("CgroupVersion") or ""),
        "storage": str(engine.info.get("Driver") or ""),
    }


def _versions(engine: Engine) -> Mapping[str, str]:
    parts = engine.client.version().get("Components") or ()
    return {str(part.get("Name")): str(part.get("Version")) for part in parts}


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor())
