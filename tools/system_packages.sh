#!/bin/sh
# See that the system has what a step needs: install it as root on Debian and Ubuntu, else say what is missing.
#   system_packages.sh PYTHON build|test|demo ...
# Exits 1 only when something is missing that the step cannot do without.
set -eu
python=$1; shift

# Each need: a check that succeeds when it is met | the Debian package | required or optional | what it is for.
needs() {
  case $1 in
    build) cat <<END
command -v g++|g++|required|the C++ compiler
test -e "$headers/Python.h"|python3-dev|required|the headers that the Python extension needs
$python -c 'import ensurepip, venv'|python3-venv|required|the virtual environment
test -e /usr/include/dnnl.hpp -o -e /usr/include/oneapi/dnnl/dnnl.hpp|libdnnl-dev|optional|faster large matrix products and convolutions
END
    ;;
    test) cat <<END
test -e /usr/include/doctest/doctest.h|doctest-dev|optional|the C++ tests
command -v valgrind|valgrind|optional|the test of instruction budgets
END
    ;;
    demo) echo "test -e /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz|dataset-fashion-mnist|required|the images to train on" ;;
    *) echo "system_packages.sh: unknown step '$1' (build, test or demo)" >&2; exit 1 ;;
  esac
}

log=$(mktemp); table=$(mktemp)
trap 'rm -f "$log" "$table"' EXIT
command -v "$python" >/dev/null || { echo "$python is missing: install Python 3.11 or newer" >&2; exit 1; }
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
  { echo "$("$python" --version) is too old: Bolide needs Python 3.11 or newer (make PYTHON=...)" >&2; exit 1; }
headers=$("$python" -c 'import sysconfig; print(sysconfig.get_path("include"))')
for step in "$@"; do needs "$step"; done > "$table"

unmet() {  # the lines of the table whose check fails
  while IFS= read -r line; do
    (eval "${line%%|*}") >/dev/null 2>&1 </dev/null || printf '%s\n' "$line"
  done < "$table"
}

missing=$(unmet)
if [ -n "$missing" ] && [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
  packages=$(printf '%s\n' "$missing" | cut -d'|' -f2)
  echo "installing" $packages
  export DEBIAN_FRONTEND=noninteractive
  apt-get update -qq || echo "apt-get update failed: going on with the package lists at hand" >&2
  # One by one, so that a package this release does not have costs only what needs it.
  for package in $packages; do
    apt-get install -y -qq --no-install-recommends "$package" > "$log" 2>&1 ||
      { tail -n 3 "$log"; echo "could not install $package"; } >&2
  done
  missing=$(unmet)
fi

status=0
while IFS='|' read -r _ package kind purpose; do
  [ -n "$package" ] || continue
  if [ "$kind" = required ]; then
    echo "missing: $package ($purpose). Install it, e.g. sudo apt-get install $package" >&2
    status=1
  else
    echo "not here: $package ($purpose); going on without it. To have it: sudo apt-get install $package" >&2
  fi
done <<END
$missing
END
exit $status
