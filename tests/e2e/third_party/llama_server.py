"""Runs llama.cpp's own HTTP server until stdin ends: llama_server.py MODEL PORT KEY.

Runs in the environment of scripts/third_party_servers.sh.
"""

from __future__ import annotations

import sys

import xllamacpp

MAX_TOKENS = 128

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.api_keys = [sys.argv[3]]
parameters.n_ctx = 8192
parameters.n_predict = MAX_TOKENS
parameters.n_parallel = 1
parameters.warmup = False
parameters.use_jinja = True
server = xllamacpp.Server(parameters)
sys.stdin.read()
