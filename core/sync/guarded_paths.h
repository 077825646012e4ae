// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <array>
#include <string_view>

namespace coldframe::sync {

/// Things a tool on the host executes, or takes its orders from, by itself. Changes to them from a sandbox are held.
/// Each matches at any depth, without case, with everything beneath it.
struct GuardedPath
{
    std::string_view path;
    std::string_view reason;
};

inline constexpr std::array kGuardedPaths{
    GuardedPath{".claude", "a coding agent's settings and hooks"},
    GuardedPath{".mcp.json", "programs that a coding agent starts"},
    GuardedPath{".cursor", "an editor's agent settings"},
    GuardedPath{".codex", "a coding agent's settings"},
    GuardedPath{".gemini", "a coding agent's settings"},
    GuardedPath{".kiro", "a coding agent's settings"},
    GuardedPath{".opencode", "a coding agent's settings"},
    GuardedPath{"opencode.json", "a coding agent's settings"},
    GuardedPath{".vscode/tasks.json", "tasks that an editor runs"},
    GuardedPath{".vscode/settings.json", "settings that name programs an editor runs"},
    GuardedPath{".vscode/launch.json", "programs that an editor starts"},
    GuardedPath{".vscode/mcp.json", "programs that an editor's agent starts"},
    GuardedPath{".vscode/extensions.json", "extensions that an editor offers to install"},
    GuardedPath{".idea", "settings that name programs an editor runs"},
    GuardedPath{".zed", "settings that name programs an editor runs"},
    GuardedPath{".fleet", "settings that name programs an editor runs"},
    GuardedPath{".devcontainer", "containers that an editor starts"},
    GuardedPath{".devcontainer.json", "containers that an editor starts"},
    GuardedPath{".envrc", "a script that direnv runs"},
    GuardedPath{".mise.toml", "hooks that mise runs"},
    GuardedPath{"mise.toml", "hooks that mise runs"},
    GuardedPath{".mise", "hooks that mise runs"},
    GuardedPath{".tool-versions", "tools that a version manager selects"},
    GuardedPath{".cargo/config.toml", "programs that cargo runs"},
    GuardedPath{".cargo/config", "programs that cargo runs"},
    GuardedPath{".venv", "programs that editors start from a Python environment"},
    GuardedPath{".exrc", "commands that vi runs"},
    GuardedPath{".vimrc", "commands that vim runs"},
    GuardedPath{".nvimrc", "commands that neovim runs"},
    GuardedPath{".nvim.lua", "a script that neovim runs"},
    GuardedPath{".dir-locals.el", "settings that emacs evaluates"},
    GuardedPath{".gdbinit", "commands that gdb runs"},
    GuardedPath{".lldbinit", "commands that lldb runs"},
    GuardedPath{".husky", "git hooks"},
    GuardedPath{".githooks", "git hooks"},
    GuardedPath{"lefthook.yml", "git hooks"},
    GuardedPath{".pre-commit-config.yaml", "git hooks"},
};

/// Files that carry keys by their purpose: they never enter a sandbox.
inline constexpr std::array kSecretNames{
    std::string_view(".git-credentials"), std::string_view(".netrc"), std::string_view("_netrc"),
    std::string_view(".pypirc"),          std::string_view(".pgpass"),
};

/// Starts of tokens whose form is unmistakable. Files that hold one are kept out of the sandbox.
inline constexpr std::array kTokenPrefixes{
    std::string_view("sk-ant-api"), std::string_view("sk-ant-oat"), std::string_view("sk-proj-"),
    std::string_view("ghp_"),       std::string_view("gho_"),       std::string_view("github_pat_"),
    std::string_view("glpat-"),     std::string_view("xoxb-"),      std::string_view("npm_"),
};

} // namespace coldframe::sync
