// SPDX-License-Identifier: Apache-2.0
#include "engine/connection_record.h"

#include "audit/connection_log.h"
#include "base/log.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::engine {

using nlohmann::json;

namespace {

class Record : public StoredConnectionRecord
{
public:
    explicit Record(std::unique_ptr<audit::ConnectionLog> log) : m_log(std::move(log)) {}

    Result<json> append(const json& connection) override
    {
        json copy = connection;
        copy.erase("id"); // the log numbers its entries itself
        COLDFRAME_TRY(audit::Connection parsed, audit::connectionFromJson(copy.dump()));
        COLDFRAME_TRY(audit::Connection kept, m_log->append(std::move(parsed)));
        return json::parse(audit::toJson(kept));
    }

    std::string query(const json& query) override
    {
        audit::Query wanted;
        wanted.sandbox = query.value("sandbox", "");
        wanted.verdict = query.value("verdict", "");
        wanted.afterId = query.value("afterId", std::int64_t(0));
        wanted.limit = std::clamp(query.value("limit", 1000), 1, 10000);
        json all = json::array();
        const auto found = m_log->find(wanted);
        if (!found) {
            logWarning("engine", found.error().message);
            return all.dump();
        }
        for (const audit::Connection& connection : *found) {
            all.push_back(json::parse(audit::toJson(connection)));
        }
        return all.dump();
    }

private:
    std::unique_ptr<audit::ConnectionLog> m_log;
};

} // namespace

Result<std::unique_ptr<StoredConnectionRecord>> openConnectionRecord(const std::filesystem::path& file)
{
    COLDFRAME_TRY(audit::ConnectionLog::Opened opened, audit::ConnectionLog::open(file));
    if (!opened.note.empty()) {
        logWarning("engine", opened.note);
    }
    return std::unique_ptr<StoredConnectionRecord>(std::make_unique<Record>(std::move(opened.log)));
}

} // namespace coldframe::engine
