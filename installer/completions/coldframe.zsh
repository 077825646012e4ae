#compdef coldframe
# SPDX-License-Identifier: Apache-2.0
# zsh completion for coldframe

_coldframe() {
    local -a commands
    commands=(run create ls exec attach sessions replay stop start pause resume reset rm save template rollback fork set prune inspect diagnose keys network policy version completion image sync settings engine)
    if (( CURRENT == 2 )); then
        compadd -a commands
        return
    fi
    case "${words[2]}" in
        run | create)
            if (( CURRENT == 3 )); then
                compadd -- ${(f)"$(coldframe agents -q 2>/dev/null)"} ${(f)"$(coldframe ls -q 2>/dev/null)"}
            else
                _files -/
            fi
            ;;
        replay) _files ;;
        attach)
            if (( CURRENT == 3 )); then
                compadd -- ${(f)"$(coldframe ls -q 2>/dev/null)"}
            else
                compadd -- ${(f)"$(coldframe sessions ${words[3]} -q 2>/dev/null)"}
            fi
            ;;
        set)
            if [[ ${words[CURRENT-1]} == --when-idle ]]; then
                compadd nothing pause stop default
            elif [[ ${words[CURRENT]} == -* ]]; then
                compadd -- --cpus --memory --disk --processes --open-files --service --no-service --docker --no-docker --when-idle --idle-after --json
            else
                compadd -- ${(f)"$(coldframe ls -q 2>/dev/null)"}
            fi
            ;;
        prune) compadd -- --force --dry-run --stopped-for --json ;;
        exec | sessions | stop | start | pause | resume | reset | rm | inspect | save | rollback | fork) compadd -- ${(f)"$(coldframe ls -q 2>/dev/null)"} ;;
        keys) (( CURRENT == 3 )) && compadd set login ls rm import use custom hosts ;;
        network) if (( CURRENT == 3 )); then compadd log proxy ask questions answer; elif [[ $words[3] == log && $words[CURRENT] == -* ]]; then compadd -- --limit --verdict --host --rule --process --method --status --how --text --since --until --follow --summary --jsonl --json; else compadd -- ${(f)"$(coldframe ls -q 2>/dev/null)"}; fi ;;
        policy) (( CURRENT == 3 )) && compadd ls allow deny rm note check mode presets suggest tighten inspect export import ;;
        engine) compadd stop ;;
        image) compadd status build update ls inspect rm prune export import log ;;
        sync) if (( CURRENT == 3 )); then compadd status resume trash restore; else compadd -- ${(f)"$(coldframe ls -q 2>/dev/null)"}; fi ;;
        settings) (( CURRENT == 3 )) && compadd get set ;;
        completion) compadd bash zsh fish ;;
    esac
}

# Autoloaded from a folder of fpath, the file is the function's first call; sourced, it only registers it.
if [[ "${funcstack[1]}" == _coldframe ]]; then
    _coldframe "$@"
else
    compdef _coldframe coldframe
fi
