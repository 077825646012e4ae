# SPDX-License-Identifier: Apache-2.0
# Sourced by installer/start: long steps shown as one line on a terminal, as a line now and then elsewhere. Each function reads
# a program's output, keeps it in the file $1, and leaves the exit code to pipefail.

# percent, text
progressLine() {
  if [ -t 1 ]; then
    printf '\r\033[K    %3d %% %s' "$1" "$2"
  elif [ "${progress_text:-}" != "$2" ] || [ "$1" -ge $((${progress_percent:-0} + 20)) ]; then
    printf '    %3d %% %s\n' "$1" "$2"
    progress_text=$2
    progress_percent=$1
  fi
}

progressEnd() { [ ! -t 1 ] || printf '\r\033[K'; }

# guest/image/build: PROGRESS done total text
showImage() {
  local word done total text
  while read -r word done total text; do
    printf '%s %s %s %s\n' "$word" "$done" "$total" "$text" >&3
    [ "$word" != PROGRESS ] || progressLine "$((done * 100 / total))" "$text"
  done 3> "$1"
  progressEnd
}

# ninja: [12/225] text
showNinja() {
  local line
  while IFS= read -r line; do
    printf '%s\n' "$line" >&3
    [[ $line =~ ^\[([0-9]+)/([0-9]+)\] ]] || continue
    progressLine "$((BASH_REMATCH[1] * 100 / BASH_REMATCH[2]))" "Compiling"
  done 3> "$1"
  progressEnd
}

# apt with APT::Status-Fd=1: dlstatus and pmstatus lines, name:item:percent:text (README.progress-reporting of apt)
showApt() {
  local line kind percent
  while IFS= read -r line; do
    case $line in
      dlstatus:*:*:* | pmstatus:*:*:*)
        kind=${line%%:*}
        line=${line#*:}
        # The item may hold a colon of its own (package:architecture).
        [[ $line =~ :([0-9]+)\.[0-9]+: ]] || continue
        percent=${BASH_REMATCH[1]}
        if [ "$kind" = dlstatus ]; then progressLine "$percent" "Fetching packages"; else progressLine "$percent" "Unpacking and setting up packages"; fi
        ;;
      *) printf '%s\n' "$line" >&3 ;;
    esac
  done 3> "$1"
  progressEnd
}
