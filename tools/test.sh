#!/usr/bin/env bash
# Every check of the repository, one after the other; what failed is listed at the end. Called by `make test`.
set -uo pipefail
cd "$(dirname "$0")/.."
# Chapters are compared with what is committed: no progress bars, and nobody's own settings, locale or other kernels.
export TQDM_DISABLE=1 MATPLOTLIBRC=/dev/null PYTHONUTF8=1 IPYTHONDIR=$PWD/_build/ipython
mkdir -p "$IPYTHONDIR"
bin=.venv/bin
cores=$(getconf _NPROCESSORS_ONLN)
failed=()

check() {
    echo
    echo "== $1"
    shift
    SECONDS=0
    "$@" || failed+=("$*")
    echo "== took $SECONDS s"
}

check "style" $bin/ruff check .
check "format" $bin/ruff format --check .
check "types" $bin/mypy
check "units" $bin/python -m pytest -n "$cores" --doctest-modules tests tlbook --ignore tests/book
check "chapters: committed form, claims with another seed" \
    $bin/python -m pytest -n "$cores" -rA --show-capture=no tests/book --ignore tests/book/test_pages.py
if compgen -G "book/*.ipynb" >/dev/null; then
    check "chapters: executed again, compared with what is committed" \
        $bin/python -m pytest -n "$cores" --dist loadscope \
        --nbval --nbval-current-env --nbval-sanitize-with tests/book/sanitize.cfg --nbval-cell-timeout 600 book
fi
check "claims on older processors, with other seeds: a third of the chapters" $bin/python -m tools.claims_everywhere --turn
check "book" $bin/python -m tools.build_book
check "browser" $bin/python -m tools.browser
check "pages" $bin/python -m pytest -n "$cores" tests/book/test_pages.py

echo
if ((${#failed[@]})); then
    printf 'FAILED: %s\n' "${failed[@]}"
    exit 1
fi
echo "all checks passed"
