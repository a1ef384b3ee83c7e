#!/usr/bin/env bash
# Formatting, lint and types of the tree this is run in, with the given Python.
set -euo pipefail
python=$1
"$python" -m ruff format --check --quiet .
"$python" -m ruff check --quiet .
"$python" -m mypy
"$python" -m pyright --pythonpath "$python"
