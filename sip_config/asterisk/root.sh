#!/usr/bin/env bash
# Makes a Debian root folder with Asterisk in it, once, outside the checkout, and prints its path.
# The tests start Asterisk in it; the machine itself gets no telephone exchange installed.
# Exit codes: 0 the folder is there, 3 it cannot be made on this machine (the reason is printed).
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
cache=${XDG_CACHE_HOME:-${HOME:-}/.cache}/wegwijs/asterisk
root=$cache/root
log=$cache/root.log

say() { printf 'asterisk: %s\n' "$*" >&2; }
impossible() { say "$*"; exit 3; }

[[ -n ${XDG_CACHE_HOME:-}${HOME:-} ]] ||
  impossible "neither HOME nor XDG_CACHE_HOME is set: set one to a folder that this user may write"
# --check: only say whether the folder is there; nothing is made.
if [[ -x $root/usr/sbin/asterisk ]]; then
  echo "$root"
  exit 0
fi
[[ ${1:-} != --check ]] || impossible "there is no Asterisk folder yet: run make setup-tests"
((EUID == 0)) || impossible "only root can make and enter a root folder: run make setup-tests as root"
command -v debootstrap >/dev/null || impossible "debootstrap is not installed: apt-get install debootstrap"

{ mkdir -p "$cache" && [[ -w $cache ]]; } 2>/dev/null ||
  impossible "$cache cannot be made or written: set HOME or XDG_CACHE_HOME to a folder of yours"
exec 8>"$cache/lock"
flock 8
if [[ -x $root/usr/sbin/asterisk ]]; then # another set-up made it while this one waited
  echo "$root"
  exit 0
fi

# make SUITE MIRROR KEYRING COMPONENTS FOLDER
make_root() {
  local suite=$1 mirror=$2 keyring=$3 components=$4 folder=$5 trust=()
  [[ $keyring == - ]] || trust=("--keyring=$keyring")
  debootstrap --variant=minbase --include=ca-certificates "${trust[@]}" \
    --components="$components" "$suite" "$folder" "$mirror" || return 1
  # Proxy, certificates and other ways to reach the mirror are the machine's own.
  apt-config dump Acquire >"$folder/etc/apt/apt.conf.d/90machine"
  [[ ! -e /etc/resolv.conf ]] || cat /etc/resolv.conf >"$folder/etc/resolv.conf"
  if [[ -e /etc/ssl/certs/ca-certificates.crt ]]; then
    cat /etc/ssl/certs/ca-certificates.crt >"$folder/etc/ssl/certs/ca-certificates.crt"
  fi
  printf '#!/bin/sh\nexit 101\n' >"$folder/usr/sbin/policy-rc.d" # no daemon starts in here
  chmod +x "$folder/usr/sbin/policy-rc.d"
  chroot "$folder" apt-get update || return 1
  chroot "$folder" env DEBIAN_FRONTEND=noninteractive LC_ALL=C \
    apt-get install --no-install-recommends -y asterisk || return 1
  chroot "$folder" apt-get clean
  find "$folder/var/lib/apt/lists" -type f -delete
  [[ -x $folder/usr/sbin/asterisk ]]
}

: >"$log"
candidates=$(python3 "$here/../setup/apt_mirror.py" debootstrap 2>>"$log") ||
  impossible "$(tail -n 1 "$log")"
while read -r suite mirror keyring components; do
  say "making a $suite folder with Asterisk (1 to 2 min, 400 MB, once): $root"
  half=$(mktemp -d "$cache/half.XXXXXX")
  chmod 755 "$half"
  started=$SECONDS
  if make_root "$suite" "$mirror" "$keyring" "$components" "$half" >>"$log" 2>&1 </dev/null; then
    mv "$half" "$root"
    say "  done in $((SECONDS - started)) s"
    echo "$root"
    exit 0
  fi
  umount "$half/proc" "$half/sys" 2>/dev/null || true # debootstrap leaves them when it fails
  rm -rf --one-file-system "$half"
  say "  $suite did not work: $(grep -E '^(E|W):' "$log" | tail -n 1)"
done <<<"$candidates"
impossible "no suite of this machine's mirror gave an Asterisk; whole log: $log"
