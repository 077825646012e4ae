// SPDX-License-Identifier: Apache-2.0
#include "ui/network_page.h"

#include "api/client.h"
#include "ui/network_export.h"
#include "ui/places_model.h"
#include "ui/text.h"

#include <QClipboard>
#include <QComboBox>
#include <QEvent>
#include <QFileDialog>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QHeaderView>
#include <QLabel>
#include <QLineEdit>
#include <QMenu>
#include <QPushButton>
#include <QScrollBar>
#include <QShortcut>
#include <QStackedWidget>
#include <QTableView>
#include <QVBoxLayout>
#include <algorithm>

namespace coldframe::ui {

namespace {
constexpr int kTypingMilliseconds = 200;
constexpr int kPlacesMilliseconds = 1000;
constexpr int kMostPlaces = 2000;
} // namespace

NetworkPage::NetworkPage(api::Client& client, const QString& sandbox, QWidget* parent)
    : QWidget(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("networkPage"));
    m_model = new NetworkModel(this);
    m_model->setPalette(palette());
    m_places = new PlacesModel(this);
    m_places->setPalette(palette());

    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(8, 8, 8, 8);
    auto* bar = new QHBoxLayout;
    m_search = new QLineEdit(this);
    m_search->setObjectName(QStringLiteral("networkSearch"));
    m_search->setAccessibleName(tr("Filter connections"));
    m_search->setPlaceholderText(tr("Filter by host, path, program or reason"));
    m_search->setClearButtonEnabled(true);
    m_verdicts = new QComboBox(this);
    m_verdicts->setObjectName(QStringLiteral("networkVerdicts"));
    m_verdicts->setAccessibleName(tr("Which connections"));
    m_verdicts->addItems({tr("All"), tr("Blocked and failed"), tr("Allowed")});
    m_view = new QComboBox(this);
    m_view->setObjectName(QStringLiteral("networkView"));
    m_view->setAccessibleName(tr("How they are listed"));
    m_view->addItems({tr("Each connection"), tr("By host")});
    bar->addWidget(m_search, 1);
    bar->addWidget(m_verdicts);
    bar->addWidget(m_view);
    layout->addLayout(bar);
    makeTables();
    layout->addWidget(m_stack, 1);
    m_details = new QLabel(this);
    m_details->setObjectName(QStringLiteral("networkDetails"));
    m_details->setTextFormat(Qt::PlainText);
    m_details->setWordWrap(true);
    m_details->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    m_details->setAlignment(Qt::AlignLeft | Qt::AlignTop);
    m_details->setMinimumHeight(2 * fontMetrics().lineSpacing());
    layout->addWidget(m_details);

    auto* buttons = new QHBoxLayout;
    auto* save = new QPushButton(tr("Export…"), this);
    save->setObjectName(QStringLiteral("networkExport"));
    save->setToolTip(tr("Writes what is listed to a file, as JSON lines"));
    m_copy = new QPushButton(tr("Copy"), this);
    m_copy->setObjectName(QStringLiteral("networkCopy"));
    m_allow = new QPushButton(tr("Allow for This Sandbox"), this);
    m_allow->setObjectName(QStringLiteral("networkAllow"));
    m_deny = new QPushButton(tr("Deny for This Sandbox"), this);
    m_deny->setObjectName(QStringLiteral("networkDeny"));
    buttons->addWidget(save);
    buttons->addWidget(m_copy);
    buttons->addStretch(1);
    buttons->addWidget(m_allow);
    buttons->addWidget(m_deny);
    layout->addLayout(buttons);

    m_typing.setSingleShot(true);
    m_typing.setInterval(kTypingMilliseconds);
    m_placesRefresh.setSingleShot(true);
    m_placesRefresh.setInterval(kPlacesMilliseconds);
    connect(&m_typing, &QTimer::timeout, this, &NetworkPage::applyFilter);
    connect(&m_placesRefresh, &QTimer::timeout, this, &NetworkPage::loadPlaces);
    connect(m_search, &QLineEdit::textChanged, this, [this] { m_typing.start(); });
    connect(m_verdicts, &QComboBox::currentIndexChanged, this, &NetworkPage::applyFilter);
    connect(m_view, &QComboBox::currentIndexChanged, this, &NetworkPage::applyFilter);
    connect(m_model, &NetworkModel::pageWanted, this, &NetworkPage::loadPage);
    connect(save, &QPushButton::clicked, this, &NetworkPage::chooseExport);
    connect(m_copy, &QPushButton::clicked, this, &NetworkPage::copyChosen);
    connect(m_allow, &QPushButton::clicked, this, [this] { makeRule(RuleAction::Allow); });
    connect(m_deny, &QPushButton::clicked, this, [this] { makeRule(RuleAction::Deny); });
    connect(&m_client, &api::Client::event, this, [this](const nlohmann::json& event) {
        if (rawField(event, "type") == "connection" && event.contains("connection") &&
            rawField(event["connection"], "sandbox") == m_id.toStdString()) {
            onConnection(event["connection"]);
        }
    });
    connect(&m_client, &api::Client::resynchronised, this, [this] {
        m_loaded = false;
        if (isVisible()) {
            applyFilter();
        }
    });
    enableButtons();
    showRightSide();
}

void NetworkPage::makeTables()
{
    m_stack = new QStackedWidget(this);
    m_table = makeTable("networkTable", m_model);
    m_table->setAccessibleName(tr("Connections"));
    const auto widen = [this] {
        if (verdictWidth() > m_verdictWidth) {
            fitColumns();
        }
    };
    connect(m_model, &QAbstractItemModel::rowsInserted, this, widen);
    connect(m_table->verticalScrollBar(), &QScrollBar::valueChanged, this, widen);
    m_placesTable = makeTable("networkPlaces", m_places);
    m_placesTable->setAccessibleName(tr("Connections by host"));
    m_empty = new QLabel(m_stack);
    m_empty->setObjectName(QStringLiteral("networkEmpty"));
    m_empty->setAlignment(Qt::AlignCenter);
    m_empty->setWordWrap(true);
    m_empty->setMargin(40);
    m_stack->addWidget(m_empty);
}

QTableView* NetworkPage::makeTable(const char* name, QAbstractItemModel* model)
{
    auto* made = new QTableView(m_stack);
    made->setObjectName(QLatin1String(name));
    made->setModel(model);
    made->setSelectionBehavior(QAbstractItemView::SelectRows);
    made->setSelectionMode(QAbstractItemView::SingleSelection);
    made->setContextMenuPolicy(Qt::CustomContextMenu);
    made->setAlternatingRowColors(true);
    made->setShowGrid(false);
    made->setWordWrap(false);
    made->setTabKeyNavigation(false);
    made->verticalHeader()->hide();
    made->verticalHeader()->setDefaultSectionSize(fontMetrics().height() + 8);
    QHeaderView* header = made->horizontalHeader();
    header->setHighlightSections(false);
    header->setDefaultAlignment(Qt::AlignLeft | Qt::AlignVCenter);
    header->setMinimumSectionSize(20);
    header->setStretchLastSection(true);
    made->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    made->setTextElideMode(Qt::ElideRight);
    made->viewport()->installEventFilter(this);
    m_stack->addWidget(made);
    auto* copy = new QShortcut(QKeySequence::Copy, made, this, &NetworkPage::copyChosen);
    copy->setContext(Qt::WidgetShortcut);
    connect(made, &QTableView::customContextMenuRequested, this, &NetworkPage::showMenu);
    connect(made->selectionModel(), &QItemSelectionModel::selectionChanged, this, &NetworkPage::enableButtons);
    connect(model, &QAbstractItemModel::modelReset, this, &NetworkPage::enableButtons);
    connect(model, &QAbstractItemModel::modelReset, this, &NetworkPage::showRightSide);
    connect(model, &QAbstractItemModel::rowsInserted, this, &NetworkPage::showRightSide);
    connect(model, &QAbstractItemModel::dataChanged, this, &NetworkPage::enableButtons);
    return made;
}

bool NetworkPage::showsPlaces() const { return m_view->currentIndex() == 1; }

QTableView* NetworkPage::table() const { return showsPlaces() ? m_placesTable : m_table; }

void NetworkPage::showRightSide()
{
    const bool none = table()->model()->rowCount() == 0 && !m_isLoading;
    m_stack->setCurrentWidget(none ? static_cast<QWidget*>(m_empty) : table());
    m_details->setVisible(!none);
    m_empty->setText(m_filter.text.isEmpty() && m_filter.verdict.empty()
                         ? tr("Nothing was tried yet. Every connection that a program in the sandbox tries is listed here, "
                              "with the rule that allowed or blocked it.")
                         : tr("No connection matches the filter."));
}

/// What the verdicts in sight need, up to that of a connection with a key.
int NetworkPage::verdictWidth() const
{
    const QFontMetrics metrics(m_table->font());
    const QAbstractItemModel* const model = m_table->model();
    const int first = std::max(0, m_table->rowAt(0));
    const int inSight = m_table->viewport()->height() / std::max(1, m_table->verticalHeader()->defaultSectionSize()) + 1;
    int widest = 0;
    for (int row = first; row < std::min(first + inSight, model->rowCount()); ++row) {
        widest = std::max(widest, metrics.horizontalAdvance(model->index(row, NetworkModel::VerdictColumn).data().toString()));
    }
    return std::min(widest, metrics.horizontalAdvance(verdictText(Verdict::Allowed, true, false, 1))) + 16;
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
    // Mostly a word; only where a key or a count is told beside it more is needed, and then it stays.
    m_verdictWidth = std::max({m_verdictWidth, wide(verdictText(Verdict::Allowed, false, false, 1)), wide(verdictText(Verdict::Denied, false, false, 1)),
                               verdictWidth()});
    set(NetworkModel::VerdictColumn, m_verdictWidth);
    set(NetworkModel::ResultColumn, wide(tr("Status")) + 6);
    set(NetworkModel::TrafficColumn, wide(QStringLiteral("↓ 000.0 kB  ↑ 000.0 kB")));
    const int host = left * 32 / 100;
    set(NetworkModel::HostColumn, host);
    set(NetworkModel::RequestColumn, host * 85 / 100);
}

void NetworkPage::fitPlaces()
{
    const QFontMetrics metrics(m_placesTable->font());
    const auto wide = [&](const QString& text) { return metrics.horizontalAdvance(text) + 16; };
    const int all = m_placesTable->viewport()->width();
    m_placesTable->setColumnHidden(PlacesModel::TrafficColumn, all < wide(QString(100, QLatin1Char('n'))));
    m_placesTable->setColumnHidden(PlacesModel::ProgramColumn, all < wide(QString(80, QLatin1Char('n'))));
    int left = all;
    const auto set = [&](int column, int width) {
        if (!m_placesTable->isColumnHidden(column)) {
            m_placesTable->setColumnWidth(column, width);
            left -= width;
        }
    };
    set(PlacesModel::LastColumn, wide(QStringLiteral("0000-00-00")));
    set(PlacesModel::VerdictColumn, wide(verdictText(Verdict::Allowed, true, false, 1000)));
    set(PlacesModel::TrafficColumn, wide(QStringLiteral("↓ 000.0 kB  ↑ 000.0 kB")));
    const int host = left * 45 / 100;
    set(PlacesModel::HostColumn, host);
    set(PlacesModel::ProgramColumn, host / 2);
}

bool NetworkPage::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::Resize && m_table && watched == m_table->viewport()) {
        fitColumns();
    } else if (event->type() == QEvent::Resize && m_placesTable && watched == m_placesTable->viewport()) {
        fitPlaces();
    }
    return QWidget::eventFilter(watched, event);
}

void NetworkPage::onConnection(const nlohmann::json& connection)
{
    m_model->take(connection);
    if (showsPlaces() && isVisible() && !m_placesRefresh.isActive()) {
        m_placesRefresh.start();
    }
}

/// What is listed is asked for anew: the log is far longer than what the window holds, so it does the choosing.
void NetworkPage::applyFilter()
{
    m_typing.stop();
    m_loaded = true;
    m_filter.text = m_search->text().trimmed();
    m_filter.verdict = m_verdicts->currentIndex() == 1 ? "blocked" : m_verdicts->currentIndex() == 2 ? "allowed" : "";
    ++m_asked;
    m_isLoading = false;
    m_model->begin(m_filter);
    if (showsPlaces()) {
        loadPlaces();
    } else {
        loadPage();
    }
    showRightSide();
}

void NetworkPage::loadPage()
{
    if (m_isLoading || showsPlaces() || !m_loaded) {
        return;
    }
    m_isLoading = true;
    nlohmann::json params{{"sandbox", m_id.toStdString()}, {"limit", NetworkModel::kPage}};
    if (m_model->oldestId() > 0) {
        params["beforeId"] = m_model->oldestId();
    }
    m_filter.addTo(params);
    m_client.call("network.log", params, this, [this, asked = m_asked](Result<nlohmann::json> answer) {
        if (asked != m_asked) {
            return;
        }
        m_isLoading = false;
        if (!answer) {
            m_loaded = false;
            showRightSide();
            emit failed(shown(answer.error().message));
            return;
        }
        const nlohmann::json& entries = listField(*answer, "entries");
        m_model->takePage(entries, static_cast<int>(entries.size()) < NetworkModel::kPage);
        showRightSide();
    });
}

void NetworkPage::loadPlaces()
{
    nlohmann::json params{{"sandbox", m_id.toStdString()}, {"limit", kMostPlaces}, {"summary", true}};
    m_filter.addTo(params);
    m_client.call("network.log", params, this, [this, asked = m_asked](Result<nlohmann::json> answer) {
        if (asked != m_asked) {
            return;
        }
        if (!answer) {
            emit failed(shown(answer.error().message));
            return;
        }
        const ConnectionRow* row = showsPlaces() ? chosen() : nullptr;
        const ConnectionRow before = row ? *row : ConnectionRow();
        m_places->set(listField(*answer, "places"));
        if (const int again = row ? m_places->find(before) : -1; again >= 0) {
            m_placesTable->selectRow(again);
        }
        showRightSide();
    });
}

void NetworkPage::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (!m_loaded) {
        applyFilter();
    } else if (showsPlaces()) {
        loadPlaces();
    }
}

void NetworkPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_model) {
        m_model->setPalette(palette());
        m_places->setPalette(palette());
    }
}

const ConnectionRow* NetworkPage::chosen() const
{
    const QModelIndexList rows = table()->selectionModel()->selectedRows();
    if (rows.isEmpty()) {
        return nullptr;
    }
    return showsPlaces() ? &m_places->at(rows.first().row()) : &m_model->at(rows.first().row());
}

void NetworkPage::enableButtons()
{
    if (!m_deny) {
        return; // still being made
    }
    const ConnectionRow* row = chosen();
    const bool can = row && exactPattern(row->host, row->port);
    m_allow->setEnabled(can);
    m_deny->setEnabled(can);
    m_copy->setEnabled(row != nullptr);
    m_details->setText(row ? row->details() : tr("Choose a connection to see why it was allowed or blocked."));
}

void NetworkPage::showMenu(const QPoint& point)
{
    const QModelIndex index = table()->indexAt(point);
    if (!index.isValid()) {
        return;
    }
    table()->selectRow(index.row());
    auto* menu = new QMenu(this);
    menu->setObjectName(QStringLiteral("networkMenu"));
    menu->setAttribute(Qt::WA_DeleteOnClose);
    QAction* allow = menu->addAction(tr("Allow for this sandbox"), this, [this] { makeRule(RuleAction::Allow); });
    allow->setObjectName(QStringLiteral("networkMenuAllow"));
    allow->setEnabled(m_allow->isEnabled());
    QAction* deny = menu->addAction(tr("Deny"), this, [this] { makeRule(RuleAction::Deny); });
    deny->setObjectName(QStringLiteral("networkMenuDeny"));
    deny->setEnabled(m_deny->isEnabled());
    menu->addSeparator();
    menu->addAction(tr("Copy"), this, &NetworkPage::copyChosen);
    menu->popup(table()->viewport()->mapToGlobal(point));
}

void NetworkPage::copyChosen()
{
    if (const ConnectionRow* row = chosen()) {
        const QStringList line{row->time.toString(Qt::ISODate), verdictText(row->verdict, !row->key.isEmpty(), row->isOpen, row->count), row->target,
                               row->request};
        QGuiApplication::clipboard()->setText(line.join(QLatin1Char(' ')).trimmed() + QLatin1Char('\n') + row->details() + QLatin1Char('\n'));
    }
}

void NetworkPage::chooseExport()
{
    auto* chooser = new QFileDialog(this, tr("Export the connections"));
    chooser->setObjectName(QStringLiteral("networkExportChooser"));
    chooser->setAttribute(Qt::WA_DeleteOnClose);
    chooser->setAcceptMode(QFileDialog::AcceptSave);
    chooser->setNameFilters({tr("JSON lines (*.jsonl)"), tr("All files (*)")});
    chooser->setDefaultSuffix(QStringLiteral("jsonl"));
    connect(chooser, &QFileDialog::fileSelected, this, [this](const QString& file) {
        auto* writer = new NetworkExport(m_client, m_id, m_filter, file, this);
        connect(writer, &NetworkExport::failed, this, &NetworkPage::failed);
        connect(writer, &NetworkExport::done, this, [this](const QString& written, qint64 count) {
            emit said(tr("%1 connections were written to %2.").arg(count).arg(written));
        });
    });
    chooser->open();
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
