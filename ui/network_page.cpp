// SPDX-License-Identifier: Apache-2.0
#include "ui/network_page.h"

#include "api/client.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QComboBox>
#include <QEvent>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QTableView>
#include <QVBoxLayout>

namespace coldframe::ui {

void NetworkFilter::setText(const QString& text)
{
    m_text = text.trimmed();
    invalidateFilter();
}

void NetworkFilter::setOnlyBlocked(int choice)
{
    m_choice = choice;
    invalidateFilter();
}

bool NetworkFilter::filterAcceptsRow(int row, const QModelIndex& parent) const
{
    const QModelIndex index = sourceModel()->index(row, 0, parent);
    const bool allowed = index.data(NetworkModel::VerdictRole).toInt() == static_cast<int>(Verdict::Allowed);
    if ((m_choice == 1 && allowed) || (m_choice == 2 && !allowed)) {
        return false;
    }
    return m_text.isEmpty() || index.data(NetworkModel::SearchRole).toString().contains(m_text, Qt::CaseInsensitive);
}

NetworkPage::NetworkPage(api::Client& client, const QString& sandbox, QWidget* parent)
    : QWidget(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("networkPage"));
    m_model = new NetworkModel(this);
    m_model->setPalette(palette());
    m_filter = new NetworkFilter(this);
    m_filter->setSourceModel(m_model);

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    auto* bar = new QHBoxLayout;
    m_search = new QLineEdit(this);
    m_search->setObjectName(QStringLiteral("networkSearch"));
    m_search->setAccessibleName(tr("Filter connections"));
    m_search->setPlaceholderText(tr("Filter by host, path or reason"));
    m_search->setClearButtonEnabled(true);
    m_verdicts = new QComboBox(this);
    m_verdicts->setObjectName(QStringLiteral("networkVerdicts"));
    m_verdicts->setAccessibleName(tr("Which connections"));
    m_verdicts->addItems({tr("All"), tr("Blocked and failed"), tr("Allowed")});
    bar->addWidget(m_search, 1);
    bar->addWidget(m_verdicts);
    layout->addLayout(bar);

    m_table = new QTableView(this);
    m_table->setObjectName(QStringLiteral("networkTable"));
    m_table->setAccessibleName(tr("Connections"));
    m_table->setModel(m_filter);
    m_table->setSelectionBehavior(QAbstractItemView::SelectRows);
    m_table->setSelectionMode(QAbstractItemView::SingleSelection);
    m_table->setContextMenuPolicy(Qt::CustomContextMenu);
    m_table->setAlternatingRowColors(true);
    m_table->setShowGrid(false);
    m_table->setWordWrap(false);
    m_table->setTabKeyNavigation(false);
    m_table->verticalHeader()->hide();
    m_table->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    QHeaderView* header = m_table->horizontalHeader();
    header->setHighlightSections(false);
    header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    header->setMinimumSectionSize(20);
    header->setStretchLastSection(true);
    m_table->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    m_table->setTextElideMode(Qt::ElideRight);
    m_table->viewport()->installEventFilter(this);
    layout->addWidget(m_table, 1);
    m_empty = new QLabel(this);
    m_empty->setObjectName(QStringLiteral("networkEmpty"));
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_empty->setMargin(40);
    layout->addWidget(m_empty, 1);
    m_details = new QLabel(this);
    m_details->setObjectName(QStringLiteral("networkDetails"));
    m_details->setTextFormat(Qt::PlainText);
    m_details->setWordWrap(true);
    m_details->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_details->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    m_details->setMinimumHeight(2 * fontMetrics().lineSpacing());
    layout->addWidget(m_details);

    auto* buttons = new QHBoxLayout;
    m_allow = new QPushButton(tr("Allow for This Sandbox"), this);
    m_allow->setObjectName(QStringLiteral("networkAllow"));
    m_deny = new QPushButton(tr("Deny for This Sandbox"), this);
    m_deny->setObjectName(QStringLiteral("networkDeny"));
    buttons->addStretch(1);
    buttons->addWidget(m_allow);
    buttons->addWidget(m_deny);
    layout->addLayout(buttons);

    connect(m_search, &QLineEdit::textChanged, m_filter, &NetworkFilter::setText);
    connect(m_verdicts, &QComboBox::currentIndexChanged, m_filter, &NetworkFilter::setOnlyBlocked);
    connect(m_table, &QTableView::customContextMenuRequested, this, &NetworkPage::showMenu);
    connect(m_table->selectionModel(), &QItemSelectionModel::selectionChanged, this, &NetworkPage::enableButtons);
    connect(m_filter, &QAbstractItemModel::modelReset, this, &NetworkPage::enableButtons);
    connect(m_filter, &QAbstractItemModel::modelReset, this, &NetworkPage::showRightSide);
    connect(m_filter, &QAbstractItemModel::layoutChanged, this, &NetworkPage::showRightSide);
    connect(m_filter, &QAbstractItemModel::rowsInserted, this, &NetworkPage::showRightSide);
    connect(m_filter, &QAbstractItemModel::rowsRemoved, this, &NetworkPage::showRightSide);
    connect(m_allow, &QPushButton::clicked, this, [this] { makeRule(RuleAction::Allow); });
    connect(m_deny, &QPushButton::clicked, this, [this] { makeRule(RuleAction::Deny); });
    connect(&m_client, &api::Client::event, this, [this](const nlohmann::json& event) {
        if (rawField(event, "type") == "connection" && event.contains("connection") &&
            rawField(event["connection"], "sandbox") == m_id.toStdString()) {
            m_model->take(event["connection"]);
        }
    });
    connect(&m_client, &api::Client::resynchronised, this, [this] {
        m_loaded = false;
        if (isVisible()) {
            loadLog();
        }
    });
    enableButtons();
    showRightSide();
}

void NetworkPage::showRightSide()
{
    const bool none = m_filter->rowCount() == 0;
    m_table->setVisible(!none);
    m_details->setVisible(!none);
    m_empty->setVisible(none);
    m_empty->setText(m_model->rowCount() == 0
                         ? tr("Nothing was tried yet. Every connection that a program in the sandbox tries is listed here, "
                              "with the rule that allowed or blocked it.")
                         : tr("No connection matches the filter."));
}

/// Every column is seen at every width: who and why share what the fixed ones leave, and what is told below the table
/// anyway goes first.
void NetworkPage::fitColumns()
{
    const QFontMetrics metrics(m_table->font());
    const auto wide = [&](const QString& text) { return metrics.horizontalAdvance(text) + 16; };
    const int all = m_table->viewport()->width();
    const bool roomy = all > wide(QString(100, QLatin1Char('n')));
    m_table->setColumnHidden(NetworkModel::TrafficColumn, !roomy);
    m_table->setColumnHidden(NetworkModel::ResultColumn, all < wide(QString(70, QLatin1Char('n'))));
    m_table->setColumnHidden(NetworkModel::RequestColumn, all < wide(QString(60, QLatin1Char('n'))));
    int left = all;
    const auto set = [&](int column, int width) {
        if (!m_table->isColumnHidden(column)) {
            m_table->setColumnWidth(column, width);
            left -= width;
        }
    };
    set(NetworkModel::TimeColumn, wide(QStringLiteral("00:00:00")));
    set(NetworkModel::VerdictColumn, wide(tr("allowed, key put on")));
    set(NetworkModel::ResultColumn, wide(tr("Status")) + 6);
    set(NetworkModel::TrafficColumn, wide(QStringLiteral("↓ 000.0 kB  ↑ 000.0 kB")));
    const int host = left * 32 / 100;
    set(NetworkModel::HostColumn, host);
    set(NetworkModel::RequestColumn, host * 85 / 100);
}

bool NetworkPage::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::Resize && m_table && watched == m_table->viewport()) {
        fitColumns();
    }
    return QWidget::eventFilter(watched, event);
}

void NetworkPage::loadLog()
{
    m_loaded = true;
    m_client.call("network.log", {{"sandbox", m_id.toStdString()}, {"limit", 500}}, this,
                  [this](Result<nlohmann::json> answer) {
                      if (!answer) {
                          m_loaded = false;
                          emit failed(shown(answer.error().message));
                          return;
                      }
                      for (const nlohmann::json& entry : listField(*answer, "entries")) {
                          m_model->take(entry);
                      }
                  });
}

void NetworkPage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (!m_loaded) {
        loadLog();
    }
}

void NetworkPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_model) {
        m_model->setPalette(palette());
    }
}

const ConnectionRow* NetworkPage::chosen() const
{
    const QModelIndexList rows = m_table->selectionModel()->selectedRows();
    return rows.isEmpty() ? nullptr : &m_model->at(m_filter->mapToSource(rows.first()).row());
}

void NetworkPage::enableButtons()
{
    const ConnectionRow* row = chosen();
    const bool can = row && exactPattern(row->host, row->port);
    m_allow->setEnabled(can);
    m_deny->setEnabled(can);
    m_details->setText(row ? row->details : tr("Choose a connection to see why it was allowed or blocked."));
}

void NetworkPage::showMenu(const QPoint& point)
{
    const QModelIndex index = m_table->indexAt(point);
    if (!index.isValid()) {
        return;
    }
    m_table->selectRow(index.row());
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("networkMenu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    QAction* allow = menu->addAction(tr("Allow for this sandbox"), this, [this] { makeRule(RuleAction::Allow); });
    allow->setObjectName(QStringLiteral("networkMenuAllow"));
    allow->setEnabled(m_allow->isEnabled());
    QAction* deny = menu->addAction(tr("Deny"), this, [this] { makeRule(RuleAction::Deny); });
    deny->setObjectName(QStringLiteral("networkMenuDeny"));
    deny->setEnabled(m_deny->isEnabled());
    menu->popup(m_table->viewport()->mapToGlobal(point));
}

void NetworkPage::makeRule(RuleAction action)
{
    const ConnectionRow* row = chosen();
    const std::optional<std::string> pattern = row ? exactPattern(row->host, row->port) : std::nullopt;
    if (!pattern) {
        return;
    }
    const QString text = shown(*pattern);
    addRule(m_client, m_id, action, *pattern, {}, this, [this, action, text](Result<void> done) {
        if (!done) {
            emit failed(shown(done.error().message));
        } else if (action == RuleAction::Allow) {
            emit said(tr("%1 is allowed from now on.").arg(text));
        } else {
            emit said(tr("%1 is denied from now on.").arg(text));
        }
    });
}

} // namespace coldframe::ui
