// SPDX-License-Identifier: Apache-2.0
#include "ui/suggestion_bar.h"

#include "api/client.h"
#include "ui/text.h"

#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QVBoxLayout>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {

QLabel* words(QWidget* parent, const char* name)
{
    auto* label = new QLabel(parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

QString joined(const json& list)
{
    QStringList texts;
    for (const json& text : list) {
        if (text.is_string() && texts.size() < 5) {
            texts.append(shown(text.get<std::string>().substr(0, 300)));
        }
    }
    return texts.join(QStringLiteral(", "));
}

} // namespace

SuggestionBar::SuggestionBar(api::Client& client, const QString& sandbox, QWidget* parent) : QFrame(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("suggestionBar"));
    setFrameShape(QFrame::StyledPanel);
    setAutoFillBackground(true);
    setBackgroundRole(QPalette::Base);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(8, 6, 8, 6);
    auto* texts = new QVBoxLayout;
    texts->setSpacing(2);
    m_text = words(this, "suggestionText");
    m_more = words(this, "suggestionMore");
    texts->addWidget(m_text);
    texts->addWidget(m_more);
    row->addLayout(texts, 1);
    m_accept = new QPushButton(tr("Accept"), this);
    m_accept->setObjectName(QStringLiteral("suggestionAccept"));
    m_dismiss = new QPushButton(tr("Dismiss"), this);
    m_dismiss->setObjectName(QStringLiteral("suggestionDismiss"));
    m_dismiss->setToolTip(tr("Do not suggest this again for some months"));
    row->addWidget(m_accept);
    row->addWidget(m_dismiss);
    connect(m_accept, &QPushButton::clicked, this, [this] { answer(true); });
    connect(m_dismiss, &QPushButton::clicked, this, [this] { answer(false); });
    m_guard.setSingleShot(true);
    m_guard.setInterval(kGuardMilliseconds);
    connect(&m_guard, &QTimer::timeout, this, &SuggestionBar::refresh);
    hide();
}

void SuggestionBar::load()
{
    m_client.call("policy.suggest", {{"sandbox", m_id.toStdString()}}, this, [this](Result<json> answer) {
        m_suggestions.clear();
        if (answer) { // without suggestions nothing is amiss
            for (const json& suggestion : listField(*answer, "suggestions")) {
                m_suggestions.push_back(read(suggestion));
            }
        }
        refresh();
    });
}

SuggestionBar::Suggestion SuggestionBar::read(const json& suggestion)
{
    Suggestion made;
    made.id = rawField(suggestion, "id");
    const std::string kind = rawField(suggestion, "kind");
    const json& patterns = listField(suggestion, "patterns");
    const QString pattern = patterns.empty() || !patterns.back().is_string() ? QString() : shown(patterns.back().get<std::string>().substr(0, 300));
    const bool isForAll = rawField(suggestion, "sandbox").empty();
    const int count = static_cast<int>(numberField(suggestion, "count"));
    if (kind == "deny") {
        made.text = isForAll ? tr("Block %1 for all sandboxes?").arg(pattern) : tr("Block %1 for this sandbox?").arg(pattern);
        made.hosts = tr("You denied it %n times", nullptr, count);
        made.done = tr("%1 is blocked.").arg(pattern);
    } else if (kind == "remove") {
        made.text = isForAll ? tr("Remove the rule that allows %1 for all sandboxes?").arg(pattern) : tr("Remove the rule that allows %1?").arg(pattern);
        made.hosts = tr("Nothing used it for 30 days");
        made.done = tr("The rule for %1 is removed.").arg(pattern);
    } else {
        made.text = isForAll ? tr("Allow %1 for all sandboxes?").arg(pattern) : tr("Always allow %1 for this sandbox?").arg(pattern);
        made.hosts = kind == "domain" ? tr("You allowed several of its hosts: %1").arg(joined(listField(suggestion, "hosts")))
                                      : tr("You allowed it for a while %n times", nullptr, count);
        made.done = tr("%1 is allowed.").arg(pattern);
    }
    return made;
}

void SuggestionBar::refresh()
{
    setVisible(!m_suggestions.empty());
    if (m_suggestions.empty()) {
        m_shown.clear();
        return;
    }
    const Suggestion& first = m_suggestions.front();
    const int others = static_cast<int>(m_suggestions.size()) - 1;
    m_text->setText(first.text);
    m_more->setText(others == 0 ? first.hosts
                                : first.hosts + QStringLiteral(" · ") + (others == 1 ? tr("one more suggestion") : tr("%n more suggestions", nullptr, others)));
    m_accept->setAccessibleName(tr("Accept: %1").arg(first.text));
    m_dismiss->setAccessibleName(tr("Dismiss: %1").arg(first.text));
    if (m_shown != first.id) {
        m_shown = first.id;
        m_accept->setEnabled(false);
        m_dismiss->setEnabled(false);
        m_guard.start();
    } else if (!m_guard.isActive()) {
        m_accept->setEnabled(true);
        m_dismiss->setEnabled(true);
    }
}

void SuggestionBar::answer(bool accept)
{
    if (m_suggestions.empty()) {
        return;
    }
    m_accept->setEnabled(false);
    m_dismiss->setEnabled(false);
    const QString done = accept ? m_suggestions.front().done : QString();
    m_client.call("policy.suggestion", {{"id", m_suggestions.front().id}, {"accept", accept}}, this, [this, done](Result<json> answer) {
        if (!answer) {
            emit failed(shown(answer.error().message));
        } else if (!done.isEmpty()) {
            emit said(done);
        }
        load();
    });
}

} // namespace coldframe::ui
