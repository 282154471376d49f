#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# verifier_test.sh OBJECT...: the kernel's verifier gives up after a million instructions, and other kernels count
# differently from this one; so each object must load with much room left.
set -euo pipefail
limit=600000
[ "$(id -u)" = 0 ] || { echo "SKIP: needs root"; exit 77; }
pins=/sys/fs/bpf/sluice-verifier-$$
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || { echo "SKIP: no BPF filesystem"; exit 77; }
trap 'rm -rf "$pins"' EXIT
for object in "$@"; do
  log=$(bpftool -d prog loadall "$object" "$pins" 2>&1) || { tail -n 5 <<<"$log"; exit 1; }
  rm -rf "$pins"
  most=$(sed -n 's/^processed \([0-9]*\) insns.*/\1/p' <<<"$log" | sort -n | tail -n 1)
  echo "$(basename "$object"): $most of at most $limit instructions"
  [ -n "$most" ] && [ "$most" -le "$limit" ]
done
