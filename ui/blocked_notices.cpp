// SPDX-License-Identifier: Apache-2.0
#include "ui/blocked_notices.h"

#include "api/client.h"
#include "ui/notifier.h"
#include "ui/rules.h"
#include "ui/sandbox_model.h"
#include "ui/text.h"

namespace coldframe::ui {

namespace {
constexpr qsizetype kMaxOffers = 200;
} // namespace

BlockedNotices::BlockedNotices(api::Client& client, SandboxModel& model, Notifier& notifier, QObject* parent)
    : QObject(parent), m_client(client), m_model(model), m_notifier(notifier)
{
    m_summary.setSingleShot(true);
    connect(&m_summary, &QTimer::timeout, this, &BlockedNotices::tellSwallowed);
    connect(&client, &api::Client::event, this, &BlockedNotices::take);
    connect(&notifier, &Notifier::actionChosen, this, &BlockedNotices::allow);
    connect(&notifier, &Notifier::opened, this, [this](const QString& key) {
        const auto offer = m_offers.constFind(key);
        if (offer != m_offers.constEnd()) {
            emit sandboxWanted(offer->sandbox);
        }
    });
}

QString BlockedNotices::nameOf(const QString& sandbox) const
{
    const Sandbox* known = m_model.find(sandbox);
    return known ? known->name : QString();
}

bool BlockedNotices::mayShow(const QString& sandbox)
{
    Window& window = m_windows[sandbox];
    if (!window.since.isValid() || (window.since.hasExpired(kWindowMilliseconds) && window.swallowed == 0)) {
        window = {};
        window.since.start();
    }
    if (window.shown >= kBurst) {
        ++window.swallowed;
        if (!m_summary.isActive()) {
            m_summary.start(kWindowMilliseconds);
        }
        return false;
    }
    ++window.shown;
    return true;
}

void BlockedNotices::takeLimit(const nlohmann::json& event)
{
    const QString sandbox = QString::fromStdString(rawField(event, "sandbox"));
    const QString name = nameOf(sandbox);
    const std::string kind = rawField(event, "kind");
    // A guest that fills and empties its disk again and again is no reason to say so again and again.
    if (name.isEmpty() || !mayShow(sandbox + QStringLiteral(" limit"))) {
        return;
    }
    const QString key = QString::number(m_next++);
    m_offers.insert(key, {sandbox, {}});
    const QString title = kind == "disk"          ? tr("The disk of %1 is full")
                          : kind == "disk-nearly" ? tr("The disk of %1 is nearly full")
                          : kind == "host-disk"   ? tr("%1 waits for space on this computer")
                          : kind == "memory"      ? tr("The memory of %1 was full")
                                                  : tr("%1 has too many processes");
    m_notifier.show({key, title.arg(name), shown(rawField(event, "text").substr(0, 500)), QString()});
}

void BlockedNotices::takeAlert(const nlohmann::json& event)
{
    const QString sandbox = QString::fromStdString(rawField(event, "sandbox"));
    const QString name = nameOf(sandbox);
    if (name.isEmpty() || !mayShow(sandbox + QStringLiteral(" alert"))) {
        return;
    }
    const QString key = QString::number(m_next++);
    m_offers.insert(key, {sandbox, {}});
    m_notifier.show({key, tr("A key was in danger in %1").arg(name), shown(rawField(event, "text").substr(0, 500)), QString()});
}

void BlockedNotices::take(const nlohmann::json& event)
{
    if (rawField(event, "type") == "alert") {
        takeAlert(event);
        return;
    }
    if (rawField(event, "type") == "limit") {
        takeLimit(event);
        return;
    }
    if (rawField(event, "type") != "blocked") {
        return;
    }
    const QString sandbox = QString::fromStdString(rawField(event, "sandbox"));
    const QString name = nameOf(sandbox);
    const std::string host = rawField(event, "host");
    if (name.isEmpty() || host.empty()) {
        return;
    }
    if (!mayShow(sandbox)) {
        return;
    }
    const std::optional<std::string> pattern = exactPattern(host, numberField(event, "port"));
    const QString key = QString::number(m_next++);
    if (m_offers.size() >= kMaxOffers) {
        m_offers.clear();
    }
    m_offers.insert(key, {sandbox, pattern.value_or(std::string())});
    m_notifier.show({key, tr("%1 was blocked").arg(shownTarget(host.substr(0, 200), numberField(event, "port"))),
                     tr("The sandbox %1 tried to reach it.").arg(name),
                     pattern ? tr("Allow for this sandbox") : QString()});
}

void BlockedNotices::tellQuestion(const QString& sandbox, const QString& name, const QString& target)
{
    if (!mayShow(sandbox + QStringLiteral(" question"))) {
        return;
    }
    const QString key = QString::number(m_next++);
    m_offers.insert(key, {sandbox, {}});
    m_notifier.show({key, tr("%1 wants to reach %2").arg(name, target), tr("It waits for your answer in Coldframe's window."), tr("Answer")});
}

void BlockedNotices::tellProgram(const QString& sandbox, const QString& title, const QString& text)
{
    const QString name = nameOf(sandbox);
    if (name.isEmpty() || !mayShow(sandbox + QStringLiteral(" program"))) {
        return;
    }
    const QString key = QString::number(m_next++);
    m_offers.insert(key, {sandbox, {}});
    // It says who speaks, so that no program can pass for another or for the desktop.
    m_notifier.show({key, tr("From a program in %1").arg(name), title.isEmpty() || text.isEmpty() ? title + text : tr("%1: %2").arg(title, text), QString()});
}

void BlockedNotices::allow(const QString& key)
{
    const auto found = m_offers.constFind(key);
    if (found == m_offers.constEnd()) {
        return;
    }
    if (found->pattern.empty()) {
        emit sandboxWanted(found->sandbox);
        return;
    }
    const Offer offer = *found;
    m_offers.erase(found);
    const QString text = shown(offer.pattern);
    const QString name = nameOf(offer.sandbox);
    addRule(m_client, offer.sandbox, RuleAction::Allow, offer.pattern, "notification", this,
            [this, text, name](Result<void> done) {
                emit said(done ? tr("%1 is allowed for %2 from now on.").arg(text, name) : shown(done.error().message));
            });
}

void BlockedNotices::tellSwallowed()
{
    for (auto it = m_windows.begin(); it != m_windows.end(); ++it) {
        if (it->swallowed > 0 && !it.key().contains(QLatin1Char(' '))) {
            const QString key = QString::number(m_next++);
            m_offers.insert(key, {it.key(), {}});
            m_notifier.show({key, tr("More hosts were blocked: %1").arg(it->swallowed),
                             tr("The Network page of %1 lists them.").arg(nameOf(it.key())), QString()});
        }
        *it = {};
    }
}

} // namespace coldframe::ui
