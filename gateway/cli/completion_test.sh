#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Asks bash for completions as the shell does, with the script that `sluice completion` prints.
set -euo pipefail
# shellcheck disable=SC1090
source <("$SLUICE_BIN/sluice" completion)

# completions WORD...: what is offered for the last word.
completions() {
  COMP_WORDS=(sluice "$@")
  COMP_CWORD=$#
  _sluice_complete
  echo "${COMPREPLY[*]}"
}
expect() {
  local wanted=$1
  shift
  local got
  got=$(completions "$@")
  [ "$got" = "$wanted" ] || { echo "FAIL: sluice $*: '$got', expected '$wanted'"; exit 1; }
}

complete -p sluice | grep -q -- "-F _sluice_complete sluice"
expect "targets" targ
expect "health" targets hea
expect "register" targets reg
expect "--zeros" counters --z
expect "" counters nothing-like-this
expect "--zeros" counters --json --z
case " $(completions "") " in
  *" targets "*" explain "*" completion "*) ;;
  *) echo "FAIL: the commands are not offered: $(completions "")"; exit 1 ;;
esac
