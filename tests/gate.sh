#!/usr/bin/env bash
# The gate: a fresh clone of HEAD, a fresh environment with pinned dependencies, every check, the
# suite, and the suite once more against the built wheel.
set -euo pipefail
tree=$(git rev-parse --show-toplevel)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
[ -z "$(git -C "$tree" status --porcelain)" ] || echo "note: uncommitted changes are not tested"

step() { printf '\n== %s (%ds)\n' "$1" "$SECONDS"; }

step "fresh clone, fresh environment"
git clone --quiet "$tree" "$work/clone"
"${PYTHON:-python3}" -m venv "$work/venv"
python=$work/venv/bin/python
"$python" -m pip install --quiet --disable-pip-version-check -r "$work/clone/requirements/dev.txt"

cd "$work/clone"
step "formatting, lint, types"
bash tests/checks.sh "$python"

step "the suite"
"$python" -m pytest -q

step "the suite against the built wheel"
"$python" -m build --wheel --no-isolation --outdir "$work/dist" . > "$work/build.log" || {
    cat "$work/build.log"
    exit 1
}
"$python" -m pip install --quiet --disable-pip-version-check --no-deps "$work"/dist/*.whl
mkdir "$work/bare"
git archive HEAD | tar -x -C "$work/bare" --exclude=daemon --exclude=protocol --exclude=tui
cd "$work/bare"
"$python" -m pytest -q

step "done"
