# SPDX-License-Identifier: Apache-2.0
# bash completion for coldframe

_coldframe() {
    local word="${COMP_WORDS[COMP_CWORD]}" command="${COMP_WORDS[1]}"
    local commands="run create ls exec attach sessions replay stop start pause resume reset rm save template rollback fork set prune inspect diagnose keys network policy version completion image sync settings engine"
    COMPREPLY=()
    if [[ $COMP_CWORD -eq 1 ]]; then
        COMPREPLY=($(compgen -W "$commands" -- "$word"))
        return
    fi
    local words=""
    case "$command" in
        run | create)
            if [[ $word == -* ]]; then
                words="--name --network-allow --network-deny --policy --cpus --memory --disk --processes --open-files --service --docker --no-docker --when-idle --idle-after --detached --new --detach-keys --accept-emulation"
            elif [[ $COMP_CWORD -eq 2 ]]; then
                words="$(coldframe agents -q 2>/dev/null)"
                [[ $command == run ]] && words+=" $(coldframe ls -q 2>/dev/null)"
            else
                compopt -o dirnames 2>/dev/null
            fi
            ;;
        replay) compopt -o filenames 2>/dev/null; words="$(compgen -f -- "$word")" ;;
        attach)
            if [[ $COMP_CWORD -eq 2 ]]; then
                words="$(coldframe ls -q 2>/dev/null)"
            elif [[ $word == -* ]]; then
                words="--read-only --detach-keys --record --force"
            else
                words="$(coldframe sessions "${COMP_WORDS[2]}" -q 2>/dev/null)"
            fi
            ;;
        set)
            if [[ ${COMP_WORDS[COMP_CWORD - 1]} == --when-idle ]]; then
                words="nothing pause stop default"
            elif [[ $word == -* ]]; then
                words="--cpus --memory --disk --processes --open-files --service --no-service --docker --no-docker --when-idle --idle-after --json"
            else
                words="$(coldframe ls -q 2>/dev/null)"
            fi
            ;;
        prune) words="--force --dry-run --stopped-for --json" ;;
        exec | sessions | stop | start | pause | resume | reset | rm | inspect | save | rollback | fork) words="$(coldframe ls -q 2>/dev/null)" ;;
        keys) [[ $COMP_CWORD -eq 2 ]] && words="set login ls rm import use custom hosts" ;;
        network) if [[ $COMP_CWORD -eq 2 ]]; then words="log proxy ask questions answer"; elif [[ ${COMP_WORDS[2]} == log && $word == -* ]]; then words="--limit --verdict --host --rule --process --method --status --how --text --since --until --follow --summary --jsonl --json --quiet"; else words="$(coldframe ls -q 2>/dev/null)"; fi ;;
        policy) [[ $COMP_CWORD -eq 2 ]] && words="ls allow deny rm note check mode presets suggest tighten inspect export import" ;;
        engine) words="stop" ;;
        template) if [[ $COMP_CWORD -eq 2 ]]; then words="ls rm"; else words="$(coldframe template ls -q 2>/dev/null)"; fi ;;
        image) words="status build update ls inspect rm prune export import log" ;;
        sync) if [[ $COMP_CWORD -eq 2 ]]; then words="status resume trash restore"; else words="$(coldframe ls -q 2>/dev/null)"; fi ;;
        settings) [[ $COMP_CWORD -eq 2 ]] && words="get set" ;;
        completion) words="bash zsh fish" ;;
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
}
complete -F _coldframe coldframe
