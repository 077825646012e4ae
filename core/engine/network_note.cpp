// SPDX-License-Identifier: Apache-2.0
#include "engine/network_note.h"

#include <string_view>

namespace coldframe::engine {

namespace {

constexpr const char* kForEverybody = "/etc/coldframe/network.md";

// For a model as much as for a person: what is so, what to do, what is of no use.
constexpr const char* kText = R"(# The network in this sandbox

You work in a Coldframe sandbox. It has no network card: every connection goes through a proxy on the user's computer, which allows or
refuses it by the user's rules.

- A refused HTTP or HTTPS request is answered with status 403 and a JSON body whose "error" is "blocked_by_coldframe". "rule" and
  "reason" say why. Other connections are closed at once.
- A connection that hangs for up to a few minutes may be waiting for the user's answer to a question. Others go on meanwhile.
- When something is blocked: do not retry, and do not look for a way around it (other hosts, mirrors, addresses, ports, tunnels). Tell the
  user which host was blocked and what it is needed for. The user can allow it with: coldframe policy allow HOST
- Only TCP gets out. UDP, ICMP and DNS questions to servers outside do not; names resolve, but to addresses that mean something only here.
- The value "proxy-managed" in a key or token is a placeholder. The real one is put on outside, for the service it belongs to. It is
  of no use anywhere else, and sending it elsewhere is blocked and reported.
- Services on the user's own computer are at host.docker.internal, where the user allowed localhost:PORT.
- TLS is inspected. The certificate authority is in the system's store and in the usual variables; do not switch verification off.
)";

struct Place
{
    std::string_view agent;
    const char* path;
};

constexpr Place kPlaces[] = {
    {"claude", "/etc/claude-code/CLAUDE.md"},        // the administrator's, beside the user's and the project's
    {"codex", "/home/agent/.codex/AGENTS.md"},
    {"gemini", "/home/agent/.gemini/COLDFRAME.md"},  // named in its settings; it writes GEMINI.md itself
    {"copilot", "/home/agent/.copilot/copilot-instructions.md"},
};

} // namespace

std::vector<SeedFile> networkNote(const std::string& agent)
{
    std::vector<SeedFile> files{{kForEverybody, 0644, "root", kText}};
    for (const Place& place : kPlaces) {
        if (place.agent == agent) {
            const bool isSystem = std::string_view(place.path).starts_with("/etc/");
            files.push_back({place.path, 0644, isSystem ? "root" : "agent", kText});
        }
    }
    return files;
}

} // namespace coldframe::engine
