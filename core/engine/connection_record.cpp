// SPDX-License-Identifier: Apache-2.0
#include "engine/connection_record.h"

#include "audit/connection_log.h"
#include "audit/log_export.h"
#include "audit/log_reader.h"
#include "base/log.h"

#include <algorithm>
#include <ctime>
#include <map>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>

namespace coldframe::engine {

using nlohmann::json;

namespace {

audit::LogLimits limitsOf(const Settings& settings)
{
    audit::LogLimits limits;
    limits.maxBytes = std::int64_t{settings.logMaxMiB} << 20;
    limits.maxAge = std::chrono::hours(24 * settings.logDays);
    return limits;
}

audit::ExportTargets targetsOf(const Settings& settings)
{
    audit::ExportTargets targets;
    targets.file = settings.logFile;
    targets.maxFileBytes = std::int64_t{settings.logFileMiB} << 20;
    targets.oldFiles = settings.logFileCount;
    targets.toSyslog = settings.logToSyslog;
    return targets;
}

/// The seconds of an RFC 3339 time in UTC ("2026-01-29T10:15:23Z", with or without a fraction).
Result<std::int64_t> secondsOf(const std::string& time)
{
    if (time.empty()) {
        return std::int64_t{0};
    }
    std::tm parts{};
    const char* end = ::strptime(time.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
    const std::time_t seconds = end && time.ends_with('Z') ? ::timegm(&parts) : -1;
    if (seconds <= 0) {
        return fail(ErrorCode::InvalidArgument, "A time is written like 2026-01-29T10:15:23Z.");
    }
    return std::int64_t{seconds};
}

Result<audit::Query> queryFrom(const json& params)
{
    audit::Query wanted;
    wanted.sandbox = params.value("sandbox", "");
    wanted.verdict = params.value("verdict", "");
    wanted.host = params.value("host", "");
    wanted.rule = params.value("rule", "");
    wanted.method = params.value("method", "");
    wanted.status = params.value("status", "");
    wanted.process = params.value("process", "");
    wanted.how = params.value("how", "");
    wanted.text = params.value("text", "");
    wanted.afterId = params.value("afterId", std::int64_t(0));
    wanted.beforeId = params.value("beforeId", std::int64_t(0));
    wanted.oldestFirst = params.value("oldestFirst", false);
    wanted.limit = std::clamp(params.value("limit", 1000), 1, 10000);
    COLDFRAME_TRY(wanted.since, secondsOf(params.value("since", "")));
    COLDFRAME_TRY(wanted.until, secondsOf(params.value("until", "")));
    return wanted;
}

class Record : public StoredConnectionRecord
{
public:
    Record(std::unique_ptr<audit::ConnectionLog> log, std::filesystem::path file) : m_log(std::move(log)), m_file(std::move(file)) {}

    Result<json> append(const json& connection) override
    {
        json copy = connection;
        copy.erase("id"); // the log numbers its entries itself
        COLDFRAME_TRY(audit::Connection parsed, audit::connectionFromJson(copy.dump()));
        COLDFRAME_TRY(audit::Connection kept, m_log->append(std::move(parsed)));
        const auto name = m_names.find(kept.sandbox);
        m_export.write(kept, name == m_names.end() ? std::string() : name->second);
        return json::parse(audit::toJson(kept));
    }

    void nameIs(const std::string& sandbox, const std::string& name) override { m_names[sandbox] = name; }

    void endOpen(const std::string& sandbox) override
    {
        if (const auto ended = m_log->endOpen(sandbox); !ended) {
            logWarning("engine", ended.error().message);
        }
    }

    Result<json> query(const json& params) override
    {
        COLDFRAME_TRY(const audit::Query wanted, queryFrom(params));
        const std::lock_guard lock(m_reading);
        if (!m_reader) {
            COLDFRAME_TRY(audit::LogReader reader, audit::LogReader::open(m_file));
            m_reader.emplace(std::move(reader));
        }
        json all = json::array();
        if (params.value("summary", false)) {
            COLDFRAME_TRY(const std::vector<audit::Place> places, m_reader->summary(wanted));
            for (const audit::Place& place : places) {
                all.push_back(json::parse(audit::toJson(place)));
            }
            return json{{"places", std::move(all)}};
        }
        COLDFRAME_TRY(const std::vector<audit::Connection> found, m_reader->find(wanted));
        for (const audit::Connection& connection : found) {
            all.push_back(json::parse(audit::toJson(connection)));
        }
        return json{{"entries", std::move(all)}};
    }

    void configure(const Settings& settings) override
    {
        m_log->setLimits(limitsOf(settings));
        m_export.setTargets(targetsOf(settings));
    }

private:
    std::unique_ptr<audit::ConnectionLog> m_log;
    std::filesystem::path m_file;
    audit::LogExport m_export;
    std::map<std::string, std::string> m_names;
    std::mutex m_reading;
    std::optional<audit::LogReader> m_reader;
};

} // namespace

Result<std::unique_ptr<StoredConnectionRecord>> openConnectionRecord(const std::filesystem::path& file, const Settings& settings)
{
    COLDFRAME_TRY(audit::ConnectionLog::Opened opened, audit::ConnectionLog::open(file, limitsOf(settings)));
    if (!opened.note.empty()) {
        logWarning("engine", opened.note);
    }
    auto record = std::make_unique<Record>(std::move(opened.log), file);
    record->configure(settings);
    return std::unique_ptr<StoredConnectionRecord>(std::move(record));
}

} // namespace coldframe::engine
