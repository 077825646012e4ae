# SPDX-License-Identifier: Apache-2.0
# fish completion for coldframe

set -l commands run create ls exec attach sessions replay stop start pause resume reset rm save template rollback fork set prune inspect diagnose keys network policy version completion image sync settings engine
complete -c coldframe -f
complete -c coldframe -n "not __fish_seen_subcommand_from $commands" -a "$commands"
complete -c coldframe -n "__fish_seen_subcommand_from run create" -a "(coldframe agents -q 2>/dev/null) (__fish_complete_directories)"
complete -c coldframe -n "__fish_seen_subcommand_from run exec attach sessions stop start pause resume reset rm inspect save rollback fork" -a "(coldframe ls -q 2>/dev/null)"
set -l setting "__fish_seen_subcommand_from set; and not __fish_seen_subcommand_from keys settings"
complete -c coldframe -n "$setting" -a "(coldframe ls -q 2>/dev/null)"
for limit in cpus memory disk processes open-files idle-after
    complete -c coldframe -n "$setting" -l $limit -x
    complete -c coldframe -n "__fish_seen_subcommand_from run create" -l $limit -x
end
complete -c coldframe -n "$setting; or __fish_seen_subcommand_from run create" -l when-idle -x -a "nothing pause stop default"
complete -c coldframe -n "$setting; or __fish_seen_subcommand_from run create" -l service
complete -c coldframe -n "$setting; or __fish_seen_subcommand_from run create" -l docker
complete -c coldframe -n "$setting; or __fish_seen_subcommand_from run create" -l no-docker
complete -c coldframe -n "$setting" -l no-service
complete -c coldframe -n "__fish_seen_subcommand_from prune; and not __fish_seen_subcommand_from image" -l force -l dry-run -l json
complete -c coldframe -n "__fish_seen_subcommand_from prune; and not __fish_seen_subcommand_from image" -l stopped-for -x
complete -c coldframe -n "__fish_seen_subcommand_from keys" -a "set login ls rm import use custom hosts"
complete -c coldframe -n "__fish_seen_subcommand_from network" -a "log proxy ask questions answer"
complete -c coldframe -n "__fish_seen_subcommand_from network; and __fish_seen_subcommand_from log" -a "--host --rule --process --method --status --how --text --since --until --verdict --follow --summary --jsonl"
complete -c coldframe -n "__fish_seen_subcommand_from policy" -a "ls allow deny rm note check mode presets suggest tighten inspect export import"
complete -c coldframe -n "__fish_seen_subcommand_from engine" -a "stop"
complete -c coldframe -n "__fish_seen_subcommand_from image" -a "status build update ls inspect rm prune export import log"
complete -c coldframe -n "__fish_seen_subcommand_from sync" -a "status resume trash restore"
complete -c coldframe -n "__fish_seen_subcommand_from settings" -a "get set"
complete -c coldframe -n "__fish_seen_subcommand_from completion" -a "bash zsh fish"
complete -c coldframe -n "__fish_seen_subcommand_from attach exec" -l record -r
