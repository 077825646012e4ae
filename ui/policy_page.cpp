// SPDX-License-Identifier: Apache-2.0
#include "ui/policy_page.h"

#include "api/client.h"
#include "ui/ask.h"
#include "ui/suggestion_bar.h"
#include "ui/text.h"
#include "ui/theme.h"
#include "ui/tighten_dialog.h"

#include <QAction>
#include <QComboBox>
#include <QDateTime>
#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QLocale>
#include <QPushButton>
#include <QSplitter>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <algorithm>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {

enum RuleColumn { PatternColumn, ActionColumn, RequestColumn, OriginColumn, EndColumn, NoteColumn, RuleColumns };
constexpr int kIdRole = Qt::UserRole;
constexpr int kIsOwnRole = Qt::UserRole + 1;
constexpr int kMostShown = 2000;

/// Where a rule comes from, for people.
QString originOf(const QString& scope, const QString& origin)
{
    if (scope == QStringLiteral("global")) {
        return PolicyPage::tr("all sandboxes");
    }
    if (scope == QStringLiteral("organisation")) {
        return PolicyPage::tr("organisation");
    }
    if (origin.startsWith(QStringLiteral("agent:"))) {
        return PolicyPage::tr("its agent");
    }
    if (origin == QStringLiteral("answer")) {
        return scope == QStringLiteral("session") ? PolicyPage::tr("an answer, this run") : PolicyPage::tr("an answer");
    }
    if (origin == QStringLiteral("suggestion")) {
        return PolicyPage::tr("a suggestion");
    }
    if (origin == QStringLiteral("flag")) {
        return PolicyPage::tr("given at its start");
    }
    return scope == QStringLiteral("session") ? PolicyPage::tr("you, this run") : PolicyPage::tr("you");
}

QString endOf(const QString& time)
{
    const QDateTime end = QDateTime::fromString(time, Qt::ISODate);
    return end.isValid() ? QLocale().toString(end.toLocalTime(), QLocale::ShortFormat) : QString();
}

QTreeWidget* list(QWidget* parent, const char* name, const QString& accessible, const QStringList& headers)
{
    auto* made = new QTreeWidget(parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAccessibleName(accessible);
    made->setHeaderLabels(headers);
    made->setRootIsDecorated(false);
    made->setAlternatingRowColors(true);
    made->setUniformRowHeights(true);
    made->setTextElideMode(Qt::ElideRight);
    return made;
}

constexpr int kRoomForWords = 420; ///< pixels of height, below which explanations would crush the lists

QLabel* words(QWidget* parent, const char* name)
{
    auto* label = new QLabel(parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

} // namespace

PolicyPage::PolicyPage(api::Client& client, const QString& sandbox, QWidget* parent)
    : QWidget(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("policyPage"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    layout->setSpacing(8);
    layout->addWidget(makeHead());
    m_suggestions = new SuggestionBar(client, sandbox, this);
    layout->addWidget(m_suggestions);
    connect(m_suggestions, &SuggestionBar::said, this, &PolicyPage::said);
    connect(m_suggestions, &SuggestionBar::failed, this, &PolicyPage::failed);
    auto* halves = new QSplitter(Qt::Horizontal, this);
    halves->setChildrenCollapsible(false);
    halves->addWidget(makeRules());
    halves->addWidget(makeGroups());
    halves->setStretchFactor(0, 3);
    halves->setStretchFactor(1, 1);
    halves->setSizes({620, 280});
    layout->addWidget(halves, 1);
    layout->addWidget(makeNewRule());
    connect(&m_client, &api::Client::event, this, [this](const json& event) {
        const std::string of = rawField(event, "sandbox");
        if (rawField(event, "type") == "policy.changed" && (of.empty() || of == m_id.toStdString())) {
            m_loaded = false;
            if (isVisible()) {
                load();
            }
        }
    });
    connect(&m_client, &api::Client::resynchronised, this, [this] {
        m_loaded = false;
        if (isVisible()) {
            load();
        }
    });
}

QWidget* PolicyPage::makeHead()
{
    auto* head = new QWidget(this);
    auto* rows = new QVBoxLayout(head);
    rows->setContentsMargins(0, 0, 0, 0);
    auto* first = new QHBoxLayout;
    auto* label = new QLabel(tr("&Hosts that no rule names"), head);
    m_mode = new QComboBox(head);
    m_mode->setObjectName(QStringLiteral("policyMode"));
    m_mode->setAccessibleName(tr("Hosts that no rule names"));
    m_mode->addItem(tr("Open: allowed"), QStringLiteral("open"));
    m_mode->addItem(tr("Balanced: you are asked"), QStringLiteral("balanced"));
    m_mode->addItem(tr("Locked: denied"), QStringLiteral("locked"));
    m_mode->setCurrentIndex(-1);
    label->setBuddy(m_mode);
    first->addWidget(label);
    first->addWidget(m_mode);
    first->addStretch(1);
    auto* tighten = new QPushButton(tr("Tighten…"), head);
    tighten->setObjectName(QStringLiteral("policyTighten"));
    tighten->setToolTip(tr("Make an allow-list of what this sandbox used"));
    first->addWidget(tighten);
    rows->addLayout(first);
    m_modeText = words(head, "policyModeText");
    rows->addWidget(m_modeText);

    auto* second = new QHBoxLayout;
    m_host = new QLineEdit(head);
    m_host->setObjectName(QStringLiteral("policyCheckHost"));
    m_host->setAccessibleName(tr("Host to look up"));
    m_host->setPlaceholderText(tr("What would happen with… (a host, host:port or address)"));
    m_host->setClearButtonEnabled(true);
    auto* ask = new QPushButton(tr("Check"), head);
    ask->setObjectName(QStringLiteral("policyCheck"));
    second->addWidget(m_host, 1);
    second->addWidget(ask);
    rows->addLayout(second);
    m_verdict = words(head, "policyVerdict");
    m_verdict->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_verdict->hide();
    rows->addWidget(m_verdict);

    connect(m_mode, &QComboBox::activated, this, &PolicyPage::setMode);
    connect(tighten, &QPushButton::clicked, this, &PolicyPage::offerTightening);
    connect(ask, &QPushButton::clicked, this, &PolicyPage::check);
    connect(m_host, &QLineEdit::returnPressed, this, &PolicyPage::check);
    connect(m_host, &QLineEdit::textEdited, m_verdict, &QWidget::hide);
    return head;
}

QWidget* PolicyPage::makeRules()
{
    auto* side = new QWidget(this);
    auto* column = new QVBoxLayout(side);
    column->setContentsMargins(0, 0, 0, 0);
    m_rules = list(side, "policyRules", tr("Rules"), {tr("Host"), tr("Rule"), tr("Requests"), tr("From"), tr("Ends"), tr("Note")});
    m_rules->setEditTriggers(QAbstractItemView::NoEditTriggers);
    m_rules->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff); // the last column takes what is left
    column->addWidget(m_rules, 1);
    m_noRules = words(side, "policyNoRules");
    m_noRules->setText(tr("No rules yet. What you allow or deny for this sandbox stands here."));
    m_noRules->setAlignment(Qt::AlignCenter);
    m_noRules->setMargin(24);
    column->addWidget(m_noRules, 1);


    connect(m_rules, &QTreeWidget::itemSelectionChanged, this, [this] {
        const auto chosen = m_rules->selectedItems();
        m_remove->setEnabled(!chosen.isEmpty() && chosen.first()->data(0, kIsOwnRole).toBool());
    });
    connect(m_rules, &QTreeWidget::itemActivated, this, [this](QTreeWidgetItem* item) {
        if (item->data(0, kIsOwnRole).toBool()) {
            m_rules->editItem(item, NoteColumn);
        }
    });
    connect(m_rules, &QTreeWidget::itemChanged, this, &PolicyPage::noteEdited);
    return side;
}

/// Beneath both lists: in one half of a small window there is no room for it.
QWidget* PolicyPage::makeNewRule()
{
    auto* side = new QWidget(this);
    auto* row = new QHBoxLayout(side);
    row->setContentsMargins(0, 0, 0, 0);
    m_action = new QComboBox(side);
    m_action->setObjectName(QStringLiteral("policyAction"));
    m_action->setAccessibleName(tr("Allow or deny"));
    m_action->addItem(tr("Allow"), QStringLiteral("allow"));
    m_action->addItem(tr("Deny"), QStringLiteral("deny"));
    m_pattern = new QLineEdit(side);
    m_pattern->setObjectName(QStringLiteral("policyPattern"));
    m_pattern->setAccessibleName(tr("Host of a new rule"));
    m_pattern->setPlaceholderText(tr("api.example.com:443, *.example.com, 10.0.0.0/8"));
    m_lasts = new QComboBox(side);
    m_lasts->setObjectName(QStringLiteral("policyLasts"));
    m_lasts->setAccessibleName(tr("How long the rule holds"));
    m_lasts->addItem(tr("always"), 0);
    m_lasts->addItem(tr("this run"), -1);
    m_lasts->addItem(tr("an hour"), 3600);
    m_lasts->addItem(tr("a day"), 86400);
    m_lasts->addItem(tr("a week"), 7 * 86400);
    m_add = new QPushButton(tr("Add"), side);
    m_add->setObjectName(QStringLiteral("policyAdd"));
    m_add->setEnabled(false);
    m_remove = new QPushButton(tr("Remove"), side);
    m_remove->setObjectName(QStringLiteral("policyRemove"));
    m_remove->setEnabled(false);
    row->addWidget(m_action);
    row->addWidget(m_pattern, 1);
    row->addWidget(m_lasts);
    row->addWidget(m_add);
    row->addWidget(m_remove);
    connect(m_pattern, &QLineEdit::textChanged, this, [this](const QString& text) { m_add->setEnabled(!text.trimmed().isEmpty()); });
    connect(m_pattern, &QLineEdit::returnPressed, this, &PolicyPage::addOne);
    connect(m_add, &QPushButton::clicked, this, &PolicyPage::addOne);
    connect(m_remove, &QPushButton::clicked, this, &PolicyPage::removeChosen);
    return side;
}

QWidget* PolicyPage::makeGroups()
{
    m_groups = list(this, "policyGroups", tr("Groups of hosts"), {tr("Groups of hosts"), tr("Hosts")});
    m_groups->setMinimumWidth(200);
    m_groups->header()->setStretchLastSection(false);
    m_groups->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_groups->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    auto* restore = new QAction(tr("As the Mode Says"), m_groups);
    restore->setObjectName(QStringLiteral("policyRestoreGroup"));
    m_groups->addAction(restore);
    m_groups->setContextMenuPolicy(Qt::ActionsContextMenu);
    connect(restore, &QAction::triggered, this, [this] {
        if (const QTreeWidgetItem* item = m_groups->currentItem()) {
            change("policy.preset", {{"name", item->data(0, kIdRole).toString().toStdString()}, {"on", nullptr}}, {});
        }
    });
    connect(m_groups, &QTreeWidget::itemChanged, this, [this](QTreeWidgetItem* item, int) { switchGroup(item); });
    return m_groups;
}

void PolicyPage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (!m_loaded) {
        load();
    }
}

void PolicyPage::resizeEvent(QResizeEvent* event)
{
    QWidget::resizeEvent(event);
    m_modeText->setVisible(height() >= kRoomForWords); // else in the tool tip of what it explains
    fitColumns();
}

void PolicyPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_verdict) {
        const auto ink = [](QLabel* label, const QColor& color) {
            QPalette colors = label->palette();
            if (colors.color(QPalette::WindowText) != color) {
                colors.setColor(QPalette::WindowText, color);
                label->setPalette(colors);
            }
        };
        ink(m_modeText, Theme::quiet(palette()));
        ink(m_noRules, Theme::quiet(palette()));
        ink(m_verdict, m_verdictKind == 1 ? Theme::good(palette()) : m_verdictKind == 2 ? Theme::bad(palette()) : Theme::busy(palette()));
    }
}

void PolicyPage::load()
{
    m_loaded = true;
    const json params{{"sandbox", m_id.toStdString()}};
    m_client.call("policy.list", params, this, [this](Result<json> answer) {
        if (answer) {
            showRules(*answer);
        } else {
            m_loaded = false;
            emit failed(shown(answer.error().message));
        }
    });
    m_suggestions->load();
    m_client.call("policy.presets", params, this, [this](Result<json> answer) {
        if (answer) {
            showGroups(*answer);
        }
    });
}

void PolicyPage::showRules(const json& answer)
{
    m_filling = true;
    const int index = m_mode->findData(shownField(answer, "mode"));
    m_mode->setCurrentIndex(index);
    m_modeText->setText(index == 0   ? tr("Everything on the internet may be reached, but nothing private and nothing denied below.")
                        : index == 1 ? tr("The groups of hosts that are switched on are allowed. Unknown hosts wait for your answer while this "
                                          "window is open, else they are denied.")
                                     : tr("Only what a rule or a group switched on here allows may be reached."));
    m_mode->setToolTip(m_modeText->text());
    m_rules->clear();
    int count = 0;
    for (const json& rule : listField(answer, "rules")) {
        const std::string origin = rawField(rule, "origin");
        const std::string scope = rawField(rule, "scope");
        if (origin.starts_with("preset:") || ++count > kMostShown) {
            continue;
        }
        const QString path = shownField(rule, "path");
        const QString method = shownField(rule, "method");
        const bool isAllow = rawField(rule, "action") == "allow";
        auto* item = new QTreeWidgetItem(m_rules, {shownField(rule, "pattern"), isAllow ? tr("allow") : tr("deny"),
                                                   method.isEmpty() || path.isEmpty() ? method + path : method + QLatin1Char(' ') + path,
                                                   originOf(shownField(rule, "scope"), shownField(rule, "origin")), endOf(shownField(rule, "expiry")), shownField(rule, "note")});
        const bool isOwn = (scope == "sandbox" || scope == "session") && !origin.starts_with("agent:");
        item->setData(0, kIdRole, QString::fromStdString(rawField(rule, "id")));
        item->setData(0, kIsOwnRole, isOwn);
        item->setForeground(ActionColumn, isAllow ? Theme::good(palette()) : Theme::bad(palette()));
        item->setFlags(isOwn ? item->flags() | Qt::ItemIsEditable : item->flags());
        for (int column = 0; column < RuleColumns; ++column) {
            item->setToolTip(column, item->text(column));
        }
    }
    m_rules->setVisible(m_rules->topLevelItemCount() > 0);
    m_noRules->setVisible(m_rules->topLevelItemCount() == 0);
    m_remove->setEnabled(false);
    m_filling = false;
    fitColumns();
}

void PolicyPage::showGroups(const json& answer)
{
    m_filling = true;
    m_groups->clear();
    for (const json& group : listField(answer, "presets")) {
        const json& patterns = listField(group, "patterns");
        auto* item = new QTreeWidgetItem(m_groups, {shownField(group, "title"), QString::number(patterns.size())});
        item->setData(0, kIdRole, shownField(group, "name"));
        item->setCheckState(0, flagField(group, "on") ? Qt::Checked : Qt::Unchecked);
        item->setTextAlignment(1, Qt::AlignRight | Qt::AlignVCenter);
        QStringList hosts{shownField(group, "description")};
        for (const json& pattern : patterns) {
            if (hosts.size() < 20 && pattern.is_string()) {
                hosts.append(shown(pattern.get<std::string>()));
            }
        }
        if (static_cast<std::size_t>(hosts.size()) <= patterns.size()) {
            hosts.append(tr("and more"));
        }
        item->setToolTip(0, hosts.join(QLatin1Char('\n')));
        QFont font = item->font(0);
        font.setBold(rawField(group, "switched") == "sandbox"); // switched here
        item->setFont(0, font);
    }
    // Everything is allowed anyway: switches would promise what they do not do.
    m_groups->setEnabled(m_mode->currentData() != QStringLiteral("open"));
    m_filling = false;
}

void PolicyPage::fitColumns()
{
    if (!m_rules) {
        return;
    }
    const int width = m_rules->viewport()->width();
    const bool isWide = width > 480;
    m_rules->setColumnHidden(RequestColumn, !isWide);
    m_rules->setColumnHidden(EndColumn, width < 460);
    // Short words get what they need, host and note the rest; what is cut off is in its tool tip.
    int left = width - width * 18 / 100;
    for (const int column : {ActionColumn, OriginColumn, EndColumn, RequestColumn}) {
        if (!m_rules->isColumnHidden(column)) {
            m_rules->resizeColumnToContents(column);
            m_rules->setColumnWidth(column, std::min(m_rules->columnWidth(column), width * 25 / 100));
            left -= m_rules->columnWidth(column);
        }
    }
    m_rules->setColumnWidth(PatternColumn, std::max(left, width * 28 / 100));
}

void PolicyPage::change(const char* method, json params, const QString& done)
{
    params["sandbox"] = m_id.toStdString();
    m_client.call(method, std::move(params), this, [this, done](Result<json> answer) {
        if (!answer) {
            emit failed(shown(answer.error().message));
        } else if (!done.isEmpty()) {
            emit said(done);
        }
        load(); // also after a refusal: what is shown must be what is so
    });
}

void PolicyPage::setMode()
{
    const std::string mode = m_mode->currentData().toString().toStdString();
    if (mode != "open") {
        change("policy.mode", {{"mode", mode}}, {});
        return;
    }
    const Question question{tr("Open the network"), tr("Let this sandbox reach every host on the internet?"),
                            tr("What works inside could send anything it can read anywhere. What you deny stays denied."), tr("Open"), {}};
    load(); // until it was answered, what is so stays shown
    ask(this, question, this, [this] { change("policy.mode", {{"mode", "open"}}, {}); });
}

void PolicyPage::check()
{
    QString text = m_host->text().trimmed();
    json params{{"sandbox", m_id.toStdString()}};
    const qsizetype colon = text.lastIndexOf(QLatin1Char(':'));
    bool isPort = false;
    const bool isPlainV6 = !text.startsWith(QLatin1Char('[')) && text.indexOf(QLatin1Char(':')) != colon;
    const int port = colon > 0 && !isPlainV6 ? text.mid(colon + 1).toInt(&isPort) : 0;
    if (isPort && port > 0 && port <= 65535) {
        params["port"] = port;
        text.truncate(colon);
    }
    if (text.isEmpty()) {
        return;
    }
    params["host"] = text.toStdString();
    m_client.call("policy.check", std::move(params), this, [this](Result<json> answer) {
        const std::string verdict = answer ? rawField(*answer, "verdict") : std::string("deny");
        m_verdictKind = verdict == "allow" ? 1 : verdict == "deny" ? 2 : 3;
        QString said = answer ? shownField(*answer, "reason") : shown(answer.error().message);
        if (answer && flagField(*answer, "needsRequest")) {
            said += QLatin1Char(' ') + tr("Some requests to it may be treated otherwise, by rules about methods or paths.");
        }
        const QString head = !answer ? QString() : m_verdictKind == 1 ? tr("Allowed. ") : m_verdictKind == 2 ? tr("Denied. ") : tr("You would be asked. ");
        m_verdict->setText(head + said);
        m_verdict->show();
        QEvent colors(QEvent::PaletteChange);
        changeEvent(&colors);
    });
}

void PolicyPage::addOne()
{
    const QString pattern = m_pattern->text().trimmed();
    if (pattern.isEmpty()) {
        return;
    }
    json params{{"action", m_action->currentData().toString().toStdString()}, {"pattern", pattern.toStdString()}};
    const int lasts = m_lasts->currentData().toInt();
    if (lasts < 0) {
        params["session"] = true;
    } else if (lasts > 0) {
        params["expiresInSeconds"] = lasts;
    }
    params["sandbox"] = m_id.toStdString();
    m_client.call("policy.add", std::move(params), this, [this, pattern](Result<json> answer) {
        if (!answer) {
            emit failed(shown(answer.error().message));
            return;
        }
        if (m_pattern->text().trimmed() == pattern) {
            m_pattern->clear();
        }
        load();
    });
}

void PolicyPage::removeChosen()
{
    const auto chosen = m_rules->selectedItems();
    if (!chosen.isEmpty()) {
        change("policy.remove", {{"id", chosen.first()->data(0, kIdRole).toString().toStdString()}},
               tr("The rule for %1 is removed.").arg(chosen.first()->text(PatternColumn)));
    }
}

void PolicyPage::noteEdited(QTreeWidgetItem* item, int column)
{
    if (!m_filling && column == NoteColumn) {
        change("policy.update", {{"id", item->data(0, kIdRole).toString().toStdString()}, {"note", item->text(NoteColumn).toStdString()}}, {});
    }
}

void PolicyPage::switchGroup(QTreeWidgetItem* item)
{
    if (!m_filling) {
        change("policy.preset",
               {{"name", item->data(0, kIdRole).toString().toStdString()}, {"on", item->checkState(0) == Qt::Checked}}, {});
    }
}

void PolicyPage::offerTightening()
{
    m_client.call("policy.tighten", {{"sandbox", m_id.toStdString()}}, this, [this](Result<json> answer) {
        if (!answer) {
            emit failed(shown(answer.error().message));
            return;
        }
        if (listField(*answer, "places").empty()) {
            emit said(tr("This sandbox reached nothing yet: there is nothing to make a list of."));
            return;
        }
        auto* dialog = new TightenDialog(*answer, this);
        connect(dialog, &TightenDialog::accepted, this, [this, dialog] {
            change("policy.import", {{"document", dialog->document()}, {"replace", true}},
                   tr("The sandbox may reach what is on the list, and nothing else."));
        });
        dialog->open();
    });
}

} // namespace coldframe::ui
