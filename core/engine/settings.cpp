// SPDX-License-Identifier: Apache-2.0
#include "engine/settings.h"

#include "base/file.h"
#include "engine/limits_change.h"
#include "vm/acceleration.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

constexpr int kVersion = 1;
constexpr int kLeastAskSeconds = 5;
constexpr int kMostAskSeconds = 300; // the proxy's own limit

Result<policy::HostMapping> mappingFromJson(const json& j)
{
    policy::HostMapping mapping;
    COLDFRAME_TRY(mapping.name, policy::normaliseHost(j.at("name").get<std::string>()));
    mapping.address = j.at("address").get<std::string>();
    COLDFRAME_TRY([[maybe_unused]] policy::IpAddress address, policy::parseIp(mapping.address));
    mapping.port = j.value("port", std::uint16_t(0));
    mapping.targetPort = j.value("targetPort", std::uint16_t(0));
    return mapping;
}

Result<void> readLogSettings(const json& j, Settings& settings)
{
    settings.logFile = j.value("logFile", settings.logFile);
    settings.logToSyslog = j.value("logToSyslog", settings.logToSyslog);
    if (!settings.logFile.empty() && !std::filesystem::path(settings.logFile).is_absolute()) {
        return fail(ErrorCode::InvalidArgument, "The setting \"logFile\" must be an absolute path, or empty.");
    }
    struct Number
    {
        const char* name;
        int Settings::*member;
        int least;
        int most;
    };
    for (const Number& number : {Number{"logDays", &Settings::logDays, 0, 36500}, Number{"logMaxMiB", &Settings::logMaxMiB, 16, 65536},
                                 Number{"logFileMiB", &Settings::logFileMiB, 1, 10240}, Number{"logFileCount", &Settings::logFileCount, 0, 99}}) {
        int& value = settings.*number.member;
        value = j.value(number.name, value);
        if (value < number.least || value > number.most) {
            return fail(ErrorCode::InvalidArgument, "The setting \"" + std::string(number.name) + "\" must be between " + std::to_string(number.least) +
                                                        " and " + std::to_string(number.most) + ".");
        }
    }
    return {};
}

Result<Settings> read(const json& j, Settings settings)
{
    settings.acceleration = j.value("acceleration", settings.acceleration);
    if (!vm::parseAccelerationChoice(settings.acceleration)) {
        return fail(ErrorCode::InvalidArgument, "The setting \"acceleration\" must be auto, kvm or emulate.");
    }
    settings.consentToEmulation = j.value("consentToEmulation", settings.consentToEmulation);
    settings.defaultMode = j.value("defaultMode", settings.defaultMode);
    COLDFRAME_TRY([[maybe_unused]] policy::Mode mode, policy::modeFromName(settings.defaultMode));
    settings.askAboutHosts = j.value("askAboutHosts", settings.askAboutHosts);
    settings.askSeconds = j.value("askSeconds", settings.askSeconds);
    if (settings.askSeconds < kLeastAskSeconds || settings.askSeconds > kMostAskSeconds) {
        return fail(ErrorCode::InvalidArgument, "The setting \"askSeconds\" must be between 5 and 300.");
    }
    settings.warmStart = j.value("warmStart", settings.warmStart);
    settings.seedDisk = j.value("seedDisk", settings.seedDisk);
    settings.idleMinutes = j.value("idleMinutes", settings.idleMinutes);
    settings.whenIdle = j.value("whenIdle", settings.whenIdle);
    settings.whenIdleMinutes = j.value("whenIdleMinutes", settings.whenIdleMinutes);
    COLDFRAME_CHECK(checkIdleRule(settings.whenIdle, settings.whenIdleMinutes));
    COLDFRAME_CHECK(readLogSettings(j, settings));
    if (j.contains("upstreamCaFiles")) {
        settings.upstreamCaFiles = j.at("upstreamCaFiles").get<std::vector<std::string>>();
        for (const std::string& file : settings.upstreamCaFiles) {
            auto content = readFile(file, 4u << 20);
            if (!content || content->find("-----BEGIN CERTIFICATE-----") == std::string::npos) {
                return fail(ErrorCode::InvalidArgument,
                            "The setting \"upstreamCaFiles\" names " + file + ", which is no readable PEM file of certificates.");
            }
        }
    }
    if (j.contains("upstreamProxy")) {
        COLDFRAME_TRY(settings.upstreamProxy, upstreamProxyFromJson(j.at("upstreamProxy")));
    }
    if (j.contains("clientCertificates")) {
        COLDFRAME_TRY(settings.clientCertificates, clientCertificatesFromJson(j.at("clientCertificates")));
    }
    if (j.contains("bypassHosts")) {
        settings.bypassHosts.clear();
        for (const json& pattern : j.at("bypassHosts")) {
            COLDFRAME_TRY(std::string parsed, policy::parsePattern(pattern.get<std::string>()));
            settings.bypassHosts.push_back(parsed);
        }
    }
    if (j.contains("hostMappings")) {
        settings.hostMappings.clear();
        for (const json& mapping : j.at("hostMappings")) {
            COLDFRAME_TRY(policy::HostMapping parsed, mappingFromJson(mapping));
            settings.hostMappings.push_back(parsed);
        }
    }
    return settings;
}

} // namespace

std::string settingsToJson(const Settings& s)
{
    json mappings = json::array();
    for (const policy::HostMapping& m : s.hostMappings) {
        mappings.push_back({{"name", m.name}, {"address", m.address}, {"port", m.port}, {"targetPort", m.targetPort}});
    }
    return json{{"version", kVersion},
                {"acceleration", s.acceleration},
                {"consentToEmulation", s.consentToEmulation},
                {"hostMappings", mappings},
                {"upstreamCaFiles", s.upstreamCaFiles},
                {"upstreamProxy", toJson(s.upstreamProxy)},
                {"clientCertificates", toJson(s.clientCertificates)},
                {"bypassHosts", s.bypassHosts},
                {"defaultMode", s.defaultMode},
                {"askAboutHosts", s.askAboutHosts},
                {"askSeconds", s.askSeconds},
                {"warmStart", s.warmStart},
                {"seedDisk", s.seedDisk},
                {"whenIdle", s.whenIdle},
                {"whenIdleMinutes", s.whenIdleMinutes},
                {"logDays", s.logDays},
                {"logMaxMiB", s.logMaxMiB},
                {"logFile", s.logFile},
                {"logFileMiB", s.logFileMiB},
                {"logFileCount", s.logFileCount},
                {"logToSyslog", s.logToSyslog},
                {"idleMinutes", s.idleMinutes}}
        .dump(2);
}

Result<Settings> settingsFromJson(const std::string& text, const Settings& base)
{
    try {
        const json j = json::parse(text);
        static const std::vector<std::string> known = {"version",         "acceleration", "consentToEmulation", "hostMappings",
                                                       "upstreamCaFiles", "bypassHosts",  "defaultMode",        "idleMinutes",
                                                       "warmStart",       "whenIdle",     "whenIdleMinutes",    "askAboutHosts",
                                                       "askSeconds",      "seedDisk",     "logDays",            "logMaxMiB",
                                                       "logFile",         "logFileMiB",   "logFileCount",       "logToSyslog",
                                                       "upstreamProxy",   "clientCertificates"};
        for (const auto& [key, value] : j.items()) {
            if (std::find(known.begin(), known.end(), key) == known.end()) {
                return fail(ErrorCode::InvalidArgument, "There is no setting named \"" + key + "\".");
            }
        }
        return read(j, base);
    } catch (const json::exception& error) {
        return fail(ErrorCode::InvalidArgument, "The settings could not be understood.", error.what());
    }
}

Result<Settings> loadSettings(const std::filesystem::path& file)
{
    auto text = readFile(file, 1u << 20);
    if (!text) {
        return text.error().code == ErrorCode::NotFound ? Result<Settings>(Settings{}) : tl::unexpected(text.error());
    }
    auto settings = settingsFromJson(*text, Settings{});
    if (!settings) {
        return fail(ErrorCode::Corrupt, "The settings in " + file.string() + " cannot be used: " + settings.error().message +
                                            " Mend the file, or move it away to start with the defaults.",
                    settings.error().detail);
    }
    return settings;
}

Result<void> saveSettings(const std::filesystem::path& file, const Settings& settings)
{
    COLDFRAME_CHECK(makeFolders(file.parent_path(), 0700));
    return writeFileAtomic(file, settingsToJson(settings));
}

Result<std::vector<policy::Rule>> loadGlobalRules(const std::filesystem::path& file)
{
    auto text = readFile(file, 4u << 20);
    if (!text) {
        return text.error().code == ErrorCode::NotFound ? Result<std::vector<policy::Rule>>(std::vector<policy::Rule>{})
                                                        : tl::unexpected(text.error());
    }
    auto set = policy::policyFromJson(*text);
    if (!set) {
        return fail(ErrorCode::Corrupt, "The rules in " + file.string() + " cannot be read; nothing is allowed by them. Mend "
                                            "the file, or move it away to start without global rules.",
                    set.error().message);
    }
    return std::move(set->rules);
}

Result<policy::PresetSwitches> loadPresetSwitches(const std::filesystem::path& file)
{
    policy::PresetSwitches switches;
    const auto text = readFile(file, 4u << 20);
    const json stored = text ? json::parse(*text, nullptr, false) : json();
    const auto presets = stored.is_object() ? stored.find("presets") : stored.end();
    if (!stored.is_object() || presets == stored.end()) {
        return switches;
    }
    for (const auto& [name, on] : presets->items()) {
        if (!on.is_boolean()) {
            return fail(ErrorCode::Corrupt, "The presets in " + file.string() + " cannot be read. Mend the file, or move it away.");
        }
        switches[name] = on.get<bool>();
    }
    return switches;
}

Result<void> saveGlobalRules(const std::filesystem::path& file, const std::vector<policy::Rule>& rules,
                             const policy::PresetSwitches& presets)
{
    COLDFRAME_CHECK(makeFolders(file.parent_path(), 0700));
    policy::PolicySet set;
    set.rules = rules;
    json stored = json::parse(policy::toJson(set));
    stored["presets"] = presets;
    return writeFileAtomic(file, stored.dump(-1, ' ', false, json::error_handler_t::replace));
}

} // namespace coldframe::engine
