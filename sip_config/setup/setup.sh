#!/usr/bin/env bash
# Puts everything that Wegwijs needs into .venv/ of this checkout; with --tests, what the tests need.
# Runs on Debian 12 or newer and Ubuntu 24.04 or newer with nothing but bash, apt and git.
# Does nothing, in well under three seconds, when nothing changed since the last time.
#
#   WEGWIJS_PYTHON=/path/to/python3   the interpreter to use
#   WEGWIJS_WITHOUT_HASHES=1          install locked versions whose hashes differ (see README.md)
#   WEGWIJS_WITHOUT_EXTRAS=1          with --tests: no optional engines, no training libraries
#   PJPROJECT_TARBALL=FILE            build pjsua2 from this archive
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
top=$(cd "$here/../.." && pwd)
cd "$top"
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/wegwijs
venv=$top/.venv
stamp=$venv/.wegwijs-setup
tests_stamp=$venv/.wegwijs-tests-setup
log=$cache/setup.log

# uuid-dev is not needed: pjproject makes its own identifiers without it.
build_packages=(
  ca-certificates build-essential swig pkg-config xz-utils   # pjsua2's source and its compiler
  libssl-dev libsrtp2-dev                                    # TLS and SRTP
  libopus-dev libspeex-dev libspeexdsp-dev libgsm1-dev       # codecs and resampling
  espeak-ng                                                  # prompts, and the demo's caller
)
test_packages=(
  sip-tester                                                 # SIPp: caller and voorlichter
  debootstrap                                                # the folder in which Asterisk lives
  openssl                                                    # certificates for the tests
  libfst-tools                                               # the recogniser's graph, in training
)

say() { printf 'setup: %s\n' "$*"; }
stop() { printf 'setup: %s\n' "$*" >&2; exit 1; }

# Wheels and logs must have a place before anything is done.
make_folders() {
  local remedy="set HOME or XDG_CACHE_HOME to a folder that this user may write"
  [[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] ||
    stop "neither HOME nor XDG_CACHE_HOME is set, so there is no cache folder; $remedy"
  { mkdir -p "$cache" && [[ -d $cache && -w $cache && -x $cache ]]; } 2>/dev/null ||
    stop "the cache folder $cache cannot be made or written; $remedy"
  { mkdir -p .cache && [[ -w .cache && -x .cache ]]; } 2>/dev/null ||
    stop "the checkout $top cannot be written; give it to this user (chown)"
}

# quietly WHAT REMEDY COMMAND...: output to the log; on failure its end, its name and the remedy.
quietly() {
  local what=$1 remedy=$2 started=$SECONDS
  shift 2
  printf '\n$ %s\n' "$*" >>"$log"
  if ! "$@" >>"$log" 2>&1 </dev/null; then
    tail -n 15 "$log" >&2
    stop "$what failed; whole log: $log
       what to do: $remedy"
  fi
  if ((SECONDS - started > 2)); then say "  done in $((SECONDS - started)) s"; fi
}

missing_packages() {
  local package
  for package in "$@"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || echo "$package"
  done
}

# install_packages WHY PACKAGE...: returns 1 when something is missing and may not be installed.
install_packages() {
  local why=$1 run=()
  shift
  if ! command -v dpkg-query >/dev/null; then
    say "this is not Debian or Ubuntu: make sure that these are there $why: $*"
    return 0
  fi
  local missing
  mapfile -t missing < <(missing_packages "$@")
  ((${#missing[@]})) || return 0
  if ((EUID != 0)); then
    if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
      run=(sudo -n)
    else
      printf 'setup: Debian packages are missing %s. Run this as root, then run make again:\n' "$why" >&2
      printf '  apt-get update && apt-get install --no-install-recommends -y %s\n' "${missing[*]}" >&2
      return 1
    fi
  fi
  say "installing Debian packages $why: ${missing[*]} (up to 2 min)"
  quietly "reading the package lists" "check the network and the machine's apt configuration" \
    "${run[@]}" apt-get -o DPkg::Lock::Timeout=300 update
  quietly "installing packages" "run it by hand: apt-get install ${missing[*]}" \
    "${run[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 \
    install --no-install-recommends -y "${missing[@]}"
}

# An interpreter is good when it is 3.11 or newer; its headers and venv may still have to come.
recent_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }
complete() {
  "$1" -c 'import ensurepip, os, sys, sysconfig, venv
sys.exit(not os.path.exists(os.path.join(sysconfig.get_path("include"), "Python.h")))' 2>/dev/null
}

# find_python: prints the first good interpreter that is also complete.
find_python() {
  local candidate
  for candidate in ${WEGWIJS_PYTHON:-python3 python3.11 python3.12 python3.13 python3.14 \
    /usr/bin/python3 "${HOME:-}"/.pyenv/versions/*/bin/python3}; do
    candidate=$(command -v "$candidate") || continue
    if recent_enough "$candidate" && complete "$candidate"; then
      "$candidate" -c 'import sys; print(sys.executable)' # not a version manager's shim
      return 0
    fi
  done
  return 1
}

choose_python() {
  local python
  if python=$(find_python); then
    echo "$python"
    return 0
  fi
  # The distribution's own interpreter lacks headers or venv, or there is none at all.
  install_packages "for Python" python3 python3-dev python3-venv >&2 || exit 1
  python=$(find_python) || stop "no Python 3.11 or newer with headers and venv was found; \
install one and set WEGWIJS_PYTHON=/path/to/python3"
  echo "$python"
}

fingerprint() {
  { echo "$top"; cat pyproject.toml requirements.lock "$here/setup.sh" \
      sip_config/pjsua2/config_site.h sip_config/pjsua2/build.py \
      sip_config/pjsua2/helpers/*; } | sha256sum | cut -d' ' -f1
}

up_to_date() {
  [[ -f $stamp && $(<"$stamp") == "$(fingerprint)" && -x $venv/bin/wegwijs ]] &&
    command -v espeak-ng >/dev/null && "$venv/bin/python" -c 'import ivr, pjsua2' 2>/dev/null
}

# install_locked LOCK: everything it names, each file checked against its hash.
install_locked() {
  local lock=$1 started=$SECONDS versions
  local remedy="check the network and pip's configuration (pip config list), then run make again"
  printf '\n$ pip install --require-hashes -r %s\n' "$lock" >>"$log"
  if "$venv/bin/python" -m pip install --disable-pip-version-check --require-hashes \
    -r "$lock" >>"$log" 2>&1 </dev/null; then
    say "  done in $((SECONDS - started)) s"
    return 0
  fi
  if ! tail -n 60 "$log" | grep -q 'DO NOT MATCH THE HASHES'; then
    tail -n 15 "$log" >&2
    stop "installing Python packages failed; whole log: $log
       what to do: $remedy"
  fi
  if [[ ${WEGWIJS_WITHOUT_HASHES:-} != 1 ]]; then
    tail -n 25 "$log" >&2
    stop "the package index of this machine serves other files than $lock names.
       If you trust it (it rebuilds packages itself, say), run: WEGWIJS_WITHOUT_HASHES=1 make setup
       If you do not: someone may have changed a package; whole log: $log"
  fi
  say "WARNING: installing the locked versions WITHOUT checking their hashes, as asked"
  versions=$(without_hashes "$lock")
  quietly "installing Python packages" "$remedy" \
    "$venv/bin/python" -m pip install --disable-pip-version-check -r "$versions"
}

# without_hashes LOCK: prints the path of a copy that names versions only.
without_hashes() {
  local copy=$venv/versions-of-${1%.lock}.txt
  sed -e 's/ *\\$//' -e '/^ *--hash=/d' "$1" >"$copy"
  echo "$copy"
}

set_up() {
  local started=$SECONDS python
  say "setting up $venv; the first time takes about five minutes, most of it compiling pjsua2"
  install_packages "to build and run" "${build_packages[@]}" || exit 1
  if ! { recent_enough "$venv/bin/python" && complete "$venv/bin/python" &&
    "$venv/bin/python" -m pip --version >/dev/null 2>&1; }; then
    python=$(choose_python)
    say "creating .venv with $python (10 s)"
    rm -rf "$venv"
    quietly "creating .venv" "install python3-venv, or set WEGWIJS_PYTHON" "$python" -m venv "$venv"
  fi
  rm -f "$stamp"
  say "installing the Python packages that requirements.lock names (1 to 2 min)"
  install_locked requirements.lock
  "$venv/bin/python" sip_config/pjsua2/build.py --install || exit 1
  say "installing Wegwijs itself (5 s)"
  quietly "installing Wegwijs" "read the log" "$venv/bin/python" -m pip install \
    --disable-pip-version-check --no-deps --no-build-isolation --quiet -e .
  fingerprint >"$stamp"
  say "ready in $((SECONDS - started)) s: .venv/bin/wegwijs"
}

extras_fingerprint() {
  { echo "$top ${WEGWIJS_WITHOUT_EXTRAS:-}"; cat requirements-tests.lock "$here/setup.sh" \
      "$here/torch_choice.py"; } | sha256sum | cut -d' ' -f1
}

# The optional engines, and what tests train and write tiny models with. PyTorch is in no lock:
# which build fits depends on the machine.
set_up_extras() {
  local started=$SECONDS torch
  [[ -f $tests_stamp && $(<"$tests_stamp") == "$(extras_fingerprint)" ]] && return 0
  if [[ ${WEGWIJS_WITHOUT_EXTRAS:-} == 1 ]]; then
    say "leaving out optional engines and training libraries, as asked: their tests will skip"
  else
    say "installing the optional speech engines that requirements-tests.lock names (1 min, 400 MB)"
    install_locked requirements-tests.lock
    torch=$("$venv/bin/python" "$here/torch_choice.py")
    case $torch in
      *+cpu) say "installing $torch for the training tests (1 min, 700 MB)" ;;
      *) say "installing $torch for the training tests (with CUDA: several minutes, up to 6 GB)" ;;
    esac
    quietly "installing PyTorch" "check the network and the free space; \
or leave it out: WEGWIJS_WITHOUT_EXTRAS=1" \
      "$venv/bin/python" -m pip install --disable-pip-version-check \
      --constraint "$(without_hashes requirements-tests.lock)" "$torch"
    say "ready for all tests in $((SECONDS - started)) s"
  fi
  extras_fingerprint >"$tests_stamp"
}

set_up_tests() {
  # What cannot be installed here is named; the tests that need it skip and say so.
  install_packages "for the tests" "${test_packages[@]}" ||
    say "going on without them: the tests that need them will skip"
  sip_config/asterisk/root.sh >/dev/null || say "the tests with a real Asterisk will skip"
  # In a shell of its own: a failure ends only this step.
  (set_up_extras) || say "going on without them: the tests of these engines and of training will \
skip; WEGWIJS_WITHOUT_EXTRAS=1 no longer tries"
}

make_folders
exec 9>.cache/setup.lock
flock 9
case ${1:-} in
  "") up_to_date || { : >"$log"; set_up; } ;;
  --tests) set_up_tests ;;
  *) echo "usage: setup.sh [--tests]" >&2; exit 2 ;;
esac
