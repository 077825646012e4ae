# SPDX-License-Identifier: Apache-2.0
# bash completion for coldframe

_coldframe() {
    local word="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}"
