#compdef coldframe
# SPDX-License-Identifier: Apache-2.0
# zsh completion for coldframe

_coldframe() {
    local -a commands
