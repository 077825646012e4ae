// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <map>
#include <string>
#include <string_view>
#include <sys/types.h>
#include <vector>

namespace coldframe::guest {

/// The JSON that the host sends, as plain data. The forms are in core/ARCHITECTURE.md, "Ports of a microVM".
/// Everything is bounded and checked here, so the rest of the agent trusts these structures.

struct ExecRequest
{
    std::string id;
    std::vector<std::string> argv;
    std::map<std::string, std::string> environment;
    std::string cwd; ///< decoded; empty: the user's home
    bool asRoot = false;
    bool tty = false;
    int rows = 24;
    int columns = 80;
    bool waitWorkspace = true;
    bool keepOpen = false;
    std::string label;    ///< what the list of sessions calls it
    bool isAgent = false; ///< the sandbox's agent itself
};

/// Looking at a program that runs already.
struct AttachRequest
{
    std::string id;
    bool readOnly = false;
    int rows = 0; ///< 0: the terminal keeps its size
    int columns = 0;
};

struct SetupFile
{
    std::string path;
    mode_t mode = 0644;
    bool ownedByAgent = false;
    std::string content;
};

struct SetupWorkspace
{
    std::string path;
    bool readOnly = false;
};

/// What the user's programs may use; 0: as much as suits the machine.
struct LimitsRequest
{
    long long processes = 0;
    long long openFiles = 0; ///< of each program
    int cpus = 0;
};

struct SetupRequest
{
    std::string generation;
    std::string hostName;
    double time = 0; ///< unix seconds
    std::string entropy;
    std::string userName;
    uid_t uid = 1000;
    gid_t gid = 1000;
    std::string home;
    std::string caPem;
    std::string caSubjectHash; ///< 8 hex digits: OpenSSL's name for it in a folder of certificates
    std::map<std::string, std::string> environment;
    std::vector<SetupWorkspace> workspaces;
    std::vector<SetupFile> files;
    bool dockerAtStart = false;
    LimitsRequest limits;
};

/// What a guest that was frozen, or that slept, has to be told.
struct RenewRequest
{
    std::string generation;
    std::string hostName; ///< empty: as before
    double time = 0;      ///< unix seconds
    std::string entropy;
};

/// What a template is prepared for.
struct PrepareRequest
{
    uid_t uid = 1000;
    gid_t gid = 1000;
    std::string home;
};

Result<PrepareRequest> parsePrepareRequest(std::string_view json);
Result<ExecRequest> parseExecRequest(std::string_view json);
Result<RenewRequest> parseRenewRequest(std::string_view json);
Result<AttachRequest> parseAttachRequest(std::string_view json);
Result<LimitsRequest> parseLimitsRequest(std::string_view json);
Result<SetupRequest> parseSetupRequest(std::string_view json);

} // namespace coldframe::guest
