// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "engine/client_certificates.h"
#include "engine/upstream.h"
#include "policy/presets.h"

#include <filesystem>
#include <string>
#include <vector>

namespace coldframe::engine {

/// The user's own settings (settings.json). Nothing in a workspace or a guest can change them.
struct Settings
{
    std::string acceleration = "auto"; ///< auto | kvm | emulate
    bool consentToEmulation = false;   ///< sandboxes may run with reduced isolation without asking each time
    std::vector<policy::HostMapping> hostMappings;
    std::vector<std::string> upstreamCaFiles; ///< PEM files, absolute paths
    UpstreamProxySetting upstreamProxy;       ///< how connections leave this computer
    std::vector<ClientCertificateSetting> clientCertificates; ///< shown to servers that ask
    std::vector<std::string> bypassHosts;
    std::string defaultMode = "balanced"; ///< for sandboxes made without network flags
    bool askAboutHosts = true;            ///< unknown hosts are asked about while somebody is there to answer; else denied
    int askSeconds = 60;                  ///< until no answer is a no; 5 to 300
    bool warmStart = true;                ///< sandboxes start from a saved template of the booted guest
    bool seedDisk = true;                 ///< large files go into a sandbox by its seed disk
    std::string whenIdle = "nothing";     ///< what becomes of a sandbox that nobody and nothing uses: nothing | pause | stop
    double whenIdleMinutes = 30;          ///< after this time without use; at least 0.1
    int logDays = 90;                     ///< how long connections are kept; 0 = for ever
    int logMaxMiB = 512;                  ///< how large the connection log may grow; 16 to 65536
    std::string logFile;                  ///< connections are written there too, as JSON lines; an absolute path, or empty
    int logFileMiB = 50;                  ///< when it has this size it becomes FILE.1; 1 to 10240
    int logFileCount = 5;                 ///< so many old ones are kept; 0 to 99
    bool logToSyslog = false;             ///< connections go to the system log too
    int idleMinutes = 5;                  ///< the engine leaves after this time with nothing to do; 0 = never
};

std::string settingsToJson(const Settings& settings);
/// Every field optional; a wrong one is InvalidArgument naming it. `base` supplies what is not given.
Result<Settings> settingsFromJson(const std::string& json, const Settings& base);

/// Missing file: defaults. A damaged file is an error that names it; it is never overwritten silently.
Result<Settings> loadSettings(const std::filesystem::path& file);
Result<void> saveSettings(const std::filesystem::path& file, const Settings& settings);

/// Global rules and the presets switched for all (policy.json).
Result<std::vector<policy::Rule>> loadGlobalRules(const std::filesystem::path& file);
Result<policy::PresetSwitches> loadPresetSwitches(const std::filesystem::path& file);
Result<void> saveGlobalRules(const std::filesystem::path& file, const std::vector<policy::Rule>& rules,
                             const policy::PresetSwitches& presets);

} // namespace coldframe::engine
