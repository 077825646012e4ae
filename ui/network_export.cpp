// SPDX-License-Identifier: Apache-2.0
#include "ui/network_export.h"

#include "api/client.h"
#include "ui/text.h"

#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {
constexpr int kPage = 2000;
} // namespace

NetworkExport::NetworkExport(api::Client& client, const QString& sandbox, const NetworkFilter& filter, const QString& file, QObject* parent)
    : QObject(parent), m_client(client), m_sandbox(sandbox), m_filter(filter), m_file(file)
{
    // Not before the maker has connected to the signals.
    QMetaObject::invokeMethod(
        this,
        [this] {
            if (m_file.open(QIODevice::WriteOnly)) {
                m_file.setPermissions(QFileDevice::ReadOwner | QFileDevice::WriteOwner);
                nextPage();
            } else {
                fail(m_file.errorString());
            }
        },
        Qt::QueuedConnection);
}

void NetworkExport::fail(const QString& text)
{
    emit failed(tr("%1 cannot be written: %2").arg(m_file.fileName(), text));
    deleteLater();
}

void NetworkExport::nextPage()
{
    json params{{"sandbox", m_sandbox.toStdString()}, {"limit", kPage}, {"oldestFirst", true}, {"afterId", m_after}};
    m_filter.addTo(params);
    m_client.call("network.log", params, this, [this](Result<json> answer) {
        if (!answer) {
            fail(shown(answer.error().message));
            return;
        }
        const json& entries = listField(*answer, "entries");
        for (const json& entry : entries) {
            m_file.write(QByteArray::fromStdString(entry.dump(-1, ' ', true, json::error_handler_t::replace) + "\n"));
            m_after = std::max(m_after, numberField(entry, "id"));
            ++m_count;
        }
        if (entries.size() == kPage) {
            nextPage();
        } else if (m_file.commit()) {
            emit done(m_file.fileName(), m_count);
            deleteLater();
        } else {
            fail(m_file.errorString());
        }
    });
}

} // namespace coldframe::ui
