// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QElapsedTimer>
#include <QHash>
#include <QObject>
#include <QTimer>
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class Notifier;
class SandboxModel;

/// Tells when a sandbox was kept from a host, with the offer to allow that host, and when it came up against a limit. At most kBurst notices per sandbox in
/// kWindowMilliseconds; what comes above is counted and told as one, so a guest cannot flood the desktop.
class BlockedNotices : public QObject
{
    Q_OBJECT

public:
    static constexpr int kBurst = 3;
    static constexpr int kWindowMilliseconds = 20000;

    BlockedNotices(api::Client& client, SandboxModel& model, Notifier& notifier, QObject* parent = nullptr);

public slots:
    /// A question waits in the window; the notice opens it.
    void tellQuestion(const QString& sandbox, const QString& name, const QString& target);
    /// A program's own words; the notice opens the sandbox.
    void tellProgram(const QString& sandbox, const QString& title, const QString& text);

signals:
    void said(const QString& text);
    void sandboxWanted(const QString& id);

private:
    struct Offer
    {
        QString sandbox;
        std::string pattern;
    };
    struct Window
    {
        QElapsedTimer since;
        int shown = 0;
        int swallowed = 0;
    };

    void take(const nlohmann::json& event);
    void takeLimit(const nlohmann::json& event);
    void takeAlert(const nlohmann::json& event);
    /// Whether one more may be shown; else it was counted.
    bool mayShow(const QString& sandbox);
    void allow(const QString& key);
    void tellSwallowed();
    QString nameOf(const QString& sandbox) const;

    api::Client& m_client;
    SandboxModel& m_model;
    Notifier& m_notifier;
    QHash<QString, Offer> m_offers; ///< by notice key
    QHash<QString, Window> m_windows; ///< by sandbox
    QTimer m_summary;
    quint64 m_next = 1;
};

} // namespace coldframe::ui
