// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/network_model.h"

#include <QSaveFile>
#include <memory>

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// Writes the connections of a sandbox that a filter lets through to a file of JSON lines, oldest first, a page at a time; the file
/// is there when all are in it. Deletes itself at the end.
class NetworkExport : public QObject
{
    Q_OBJECT

public:
    NetworkExport(api::Client& client, const QString& sandbox, const NetworkFilter& filter, const QString& file, QObject* parent);

signals:
    void done(const QString& file, qint64 count);
    void failed(const QString& text);

private:
    void nextPage();
    void fail(const QString& text);

    api::Client& m_client;
    QString m_sandbox;
    NetworkFilter m_filter;
    QSaveFile m_file;
    qint64 m_after = 0;
    qint64 m_count = 0;
};

} // namespace coldframe::ui
