// SPDX-License-Identifier: Apache-2.0
#include "ui/sandbox_page.h"

#include "api/client.h"
#include "ui/elided_label.h"
#include "ui/moments_menu.h"
#include "ui/network_page.h"
#include "ui/overview_page.h"
#include "ui/policy_page.h"
#include "ui/rules.h"
#include "ui/sandbox_actions.h"
#include "ui/sandbox_model.h"
#include "ui/terminal_page.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QTabWidget>
#include <QToolButton>
#include <QVBoxLayout>

namespace coldframe::ui {

namespace {

constexpr const char* kIcon = "iconName";

QLabel* plainLabel(QWidget* parent, const char* name)
{
    auto* label = new QLabel(parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    return label;
}

/// A line with text and a button that hides it.
QWidget* noticeBar(QWidget* parent, const char* name, QLabel** text, QHBoxLayout** layout)
{
    auto* bar = new QFrame(parent);
    bar->setObjectName(QString::fromLatin1(name));
    bar->setFrameShape(QFrame::StyledPanel);
    bar->setAutoFillBackground(true);
    bar->setBackgroundRole(QPalette::Base);
    *layout = new QHBoxLayout(bar);
    (*layout)->setContentsMargins(10, 6, 6, 6);
    *text = plainLabel(bar, "noticeText");
    (*text)->setWordWrap(true);
    (*layout)->addWidget(*text, 1);
    bar->hide();
    return bar;
}

QToolButton* dismissButton(QWidget* bar)
{
    auto* button = new QToolButton(bar);
    button->setObjectName(QStringLiteral("noticeDismiss"));
    button->setText(QStringLiteral("✕"));
    button->setAutoRaise(true);
    button->setAccessibleName(SandboxPage::tr("Dismiss"));
    QObject::connect(button, &QToolButton::clicked, bar, &QWidget::hide);
    return button;
}

} // namespace

SandboxPage::SandboxPage(api::Client& client, SandboxModel& model, SandboxActions& actions, const QString& sandbox,
                         QWidget* parent)
    : QWidget(parent), m_client(client), m_model(model), m_actions(actions), m_id(sandbox)
{
    setObjectName(QStringLiteral("sandboxPage"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(12, 12, 12, 8);
    layout->setSpacing(8);
    layout->addWidget(makeHeader());
    layout->addWidget(makeNotices());

    m_tabs = new QTabWidget(this);
    m_tabs->setObjectName(QStringLiteral("pages"));
    m_overview = new OverviewPage(client, sandbox, m_tabs);
    m_terminal = new TerminalPage(client, sandbox, m_tabs);
    connect(m_terminal, &TerminalPage::notified, this, &SandboxPage::programNotified);
    connect(m_terminal, &TerminalPage::progressChanged, this, [this](int percent) {
        m_tabs->setTabText(m_tabs->indexOf(m_terminal), percent < 0 ? tr("Terminal") : tr("Terminal (%1%)").arg(percent));
    });
    m_network = new NetworkPage(client, sandbox, m_tabs);
    m_tabs->addTab(m_overview, tr("Overview"));
    m_tabs->addTab(m_terminal, tr("Terminal"));
    m_tabs->addTab(m_network, tr("Network"));
    m_policy = new PolicyPage(client, sandbox, m_tabs);
    m_tabs->addTab(m_policy, tr("Policy"));
    layout->addWidget(m_tabs, 1);

    connect(m_overview, &OverviewPage::copyRequested, this, [this] { m_actions.copyLaunchCommand(m_id); });
    connect(m_overview, &OverviewPage::failed, this, &SandboxPage::showError);
    connect(m_network, &NetworkPage::failed, this, &SandboxPage::showError);
    connect(m_network, &NetworkPage::said, this, &SandboxPage::said);
    connect(m_policy, &PolicyPage::failed, this, &SandboxPage::showError);
    connect(m_policy, &PolicyPage::said, this, &SandboxPage::said);
    connect(&model, &SandboxModel::sandboxChanged, this, [this](const QString& id) {
        if (id == m_id) {
            refresh();
        }
    });
    connect(&actions, &SandboxActions::operationChanged, this, [this](const QString& id) {
        if (id == m_id) {
            refreshOperation();
            refresh();
        }
    });
    connect(&actions, &SandboxActions::failed, this, [this](const QString& id, const QString& text) {
        if (id == m_id) {
            showError(text);
        }
    });
    connect(&client, &api::Client::event, this, &SandboxPage::takeBlocked);
    refresh();
    refreshOperation();
}

QWidget* SandboxPage::makeHeader()
{
    auto* header = new QWidget(this);
    auto* column = new QVBoxLayout(header);
    column->setContentsMargins(0, 0, 0, 0);
    auto* top = new QHBoxLayout;
    m_name = new ElidedLabel(header);
    m_name->setObjectName(QStringLiteral("sandboxName"));
    QFont big = m_name->font();
    big.setPointSizeF(big.pointSizeF() * 1.5);
    big.setBold(true);
    m_name->setFont(big);
    m_mark = plainLabel(header, "reducedIsolationMark");
    m_mark->setText(tr("reduced isolation"));
    m_mark->setToolTip(tr("Emulated, not run by KVM: slower, and no security boundary."));
    m_mark->setFrameShape(QFrame::StyledPanel);
    m_mark->setMargin(3);
    top->addWidget(m_name);
    top->addWidget(m_mark);
    m_line = new ElidedLabel(header);
    m_line->setObjectName(QStringLiteral("sandboxLine"));
    m_line->setSizePolicy(QSizePolicy::Ignored, QSizePolicy::Preferred);
    top->addWidget(m_line, 1);
    const auto button = [&](const QString& text, const char* name, const char* icon) {
        auto* made = new QPushButton(text, header);
        made->setObjectName(QString::fromLatin1(name));
        made->setProperty(kIcon, QString::fromLatin1(icon));
        return made;
    };
    m_start = button(tr("Start"), "start", "start");
    m_pause = button(tr("Pause"), "pause", "pause");
    m_pause->setToolTip(tr("Freezes it: programs go on where they were when it is resumed."));
    m_stop = button(tr("Stop…"), "stop", "stop");
    m_reset = button(tr("Reset…"), "reset", "reset");
    m_remove = button(tr("Remove…"), "remove", "remove");
    auto* more = button(tr("More"), "more", "more");
    more->setMenu(new MomentsMenu(m_client, m_model, m_actions, m_id, more));
    auto* row = new QHBoxLayout;
    for (QPushButton* made : {m_start, m_pause, m_stop, m_reset, m_remove}) {
        row->addWidget(made);
    }
    row->addWidget(more);
    row->addStretch(1);
    top->setSpacing(12);
    column->addLayout(top);
    column->addLayout(row);
    connect(m_start, &QPushButton::clicked, this, [this] { m_actions.start(m_id); });
    connect(m_pause, &QPushButton::clicked, this, [this] { m_actions.pause(m_id); });
    connect(m_stop, &QPushButton::clicked, this, [this] { m_actions.stop(m_id); });
    connect(m_reset, &QPushButton::clicked, this, [this] { m_actions.reset(m_id); });
    connect(m_remove, &QPushButton::clicked, this, [this] { m_actions.remove(m_id); });
    return header;
}

QWidget* SandboxPage::makeNotices()
{
    auto* notices = new QWidget(this);
    auto* column = new QVBoxLayout(notices);
    column->setContentsMargins(0, 0, 0, 0);
    m_operation = new QWidget(notices);
    m_operation->setObjectName(QStringLiteral("operation"));
    auto* row = new QHBoxLayout(m_operation);
    row->setContentsMargins(0, 0, 0, 0);
    m_operationText = plainLabel(m_operation, "operationText");
    m_progress = new QProgressBar(m_operation);
    m_progress->setObjectName(QStringLiteral("operationProgress"));
    m_progress->setAccessibleName(tr("Progress"));
    m_progress->setTextVisible(false);
    m_cancel = new QPushButton(tr("Cancel"), m_operation);
    m_cancel->setObjectName(QStringLiteral("operationCancel"));
    connect(m_cancel, &QPushButton::clicked, this, [this] { m_actions.cancel(m_id); });
    row->addWidget(m_operationText);
    row->addWidget(m_progress, 1);
    row->addWidget(m_cancel);
    column->addWidget(m_operation);

    QHBoxLayout* line = nullptr;
    m_error = noticeBar(notices, "errorBar", &m_errorText, &line);
    m_errorText->setTextInteractionFlags(Qt::TextSelectableByMouse);
    line->addWidget(dismissButton(m_error));
    column->addWidget(m_error);

    m_blocked = noticeBar(notices, "blockedBar", &m_blockedText, &line);
    m_blockedAllow = new QPushButton(tr("Allow for This Sandbox"), m_blocked);
    m_blockedAllow->setObjectName(QStringLiteral("blockedAllow"));
    connect(m_blockedAllow, &QPushButton::clicked, this, &SandboxPage::allowBlocked);
    line->addWidget(m_blockedAllow);
    line->addWidget(dismissButton(m_blocked));
    column->addWidget(m_blocked);
    return notices;
}

void SandboxPage::refresh()
{
    const Sandbox* sandbox = m_model.find(m_id);
    if (!sandbox) {
        return;
    }
    m_name->setText(sandbox->name);
    const SyncStatus& sync = sandbox->syncs.size() == 1 ? sandbox->syncs.front() : sandbox->syncSummary;
    const QString line = tr("%1 · %2 · %3").arg(stateText(sandbox->state), sandbox->agent, sandbox->folder());
    m_line->setText(line);
    m_line->setToolTip((line + QLatin1Char('\n') + syncText(sync)).toHtmlEscaped());
    m_mark->setVisible(sandbox->reducedIsolation);
    const bool busy = m_actions.operation(m_id) != nullptr || sandbox->isChanging();
    m_start->setVisible(!sandbox->isRunning());
    m_start->setText(sandbox->state == SandboxState::Paused ? tr("Resume") : tr("Start"));
    m_pause->setVisible(sandbox->isRunning());
    m_pause->setEnabled(!busy);
    // A paused one may be stopped as well: its memory is given up.
    m_stop->setVisible(sandbox->isRunning() || sandbox->state == SandboxState::Paused);
    m_start->setEnabled(!busy && sandbox->canStart());
    m_stop->setEnabled(!busy);
    m_reset->setEnabled(!busy);
    m_remove->setEnabled(!busy);
    m_overview->show(*sandbox);
    m_terminal->setRunning(sandbox->state == SandboxState::Running);
    QStringList folders;
    for (const Workspace& workspace : sandbox->workspaces) {
        folders << shownPath(workspace.path);
    }
    m_terminal->setFolders(folders);
    paintColors();
}

void SandboxPage::refreshOperation()
{
    const Operation* operation = m_actions.operation(m_id);
    m_operation->setVisible(operation != nullptr);
    if (!operation) {
        return;
    }
    m_error->hide();
    m_operationText->setText(operation->text);
    const bool known = operation->total > 0;
    m_progress->setRange(0, known ? 1000 : 0);
    if (known) {
        m_progress->setValue(static_cast<int>(1000.0 * static_cast<double>(operation->done) / static_cast<double>(operation->total)));
    }
    m_cancel->setEnabled(!operation->cancelling);
}

void SandboxPage::takeBlocked(const nlohmann::json& event)
{
    if (rawField(event, "type") == "policy.changed") {
        lookAtBlocked();
    }
    if (rawField(event, "type") != "blocked" || rawField(event, "sandbox") != m_id.toStdString()) {
        return;
    }
    const std::string host = rawField(event, "host");
    const std::optional<std::string> pattern = exactPattern(host, numberField(event, "port"));
    m_blockedPattern = pattern.value_or(std::string());
    m_blockedHost = host;
    m_blockedPort = numberField(event, "port");
    m_blockedText->setText(tr("%1 was blocked.").arg(shownTarget(host.substr(0, 300), m_blockedPort)));
    m_blockedAllow->setVisible(pattern.has_value());
    m_blocked->show();
}

void SandboxPage::allowBlocked()
{
    if (m_blockedPattern.empty()) {
        return;
    }
    m_blocked->hide();
    const QString text = shown(m_blockedPattern);
    addRule(m_client, m_id, RuleAction::Allow, m_blockedPattern, {}, this, [this, text](Result<void> done) {
        if (done) {
            emit said(tr("%1 is allowed from now on.").arg(text));
        } else {
            showError(shown(done.error().message));
        }
    });
}

/// A rule was made, here or by a notification: what it allows needs no offer any more.
void SandboxPage::lookAtBlocked()
{
    if (m_blocked->isHidden() || m_blockedPattern.empty()) {
        return;
    }
    m_client.call("policy.check", {{"sandbox", m_id.toStdString()}, {"host", m_blockedHost}, {"port", m_blockedPort}}, this,
                  [this, pattern = m_blockedPattern](Result<nlohmann::json> answer) {
                      if (answer && rawField(*answer, "verdict") == "allow" && pattern == m_blockedPattern) {
                          m_blocked->hide();
                      }
                  });
}

void SandboxPage::showOverview() { m_tabs->setCurrentWidget(m_overview); }

void SandboxPage::turnPage(int step)
{
    m_tabs->setCurrentIndex((m_tabs->currentIndex() + step + m_tabs->count()) % m_tabs->count());
    m_tabs->currentWidget()->setFocus();
}

void SandboxPage::showTerminal() { m_tabs->setCurrentWidget(m_terminal); }

void SandboxPage::showNetwork() { m_tabs->setCurrentWidget(m_network); }

void SandboxPage::showPolicy() { m_tabs->setCurrentWidget(m_policy); }

void SandboxPage::showError(const QString& text)
{
    m_errorText->setText(text);
    m_error->show();
}

void SandboxPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_tabs) {
        paintColors();
    }
}

void SandboxPage::paintColors()
{
    const auto ink = [](QWidget* widget, const QColor& color) {
        QPalette colors = widget->palette();
        if (colors.color(QPalette::WindowText) != color) {
            colors.setColor(QPalette::WindowText, color);
            widget->setPalette(colors);
        }
    };
    ink(m_line, Theme::quiet(palette()));
    ink(m_mark, Theme::busy(palette()));
    ink(m_errorText, Theme::bad(palette()));
    if (m_iconInk != palette().color(QPalette::ButtonText)) {
        m_iconInk = palette().color(QPalette::ButtonText);
        for (QPushButton* button : {m_start, m_pause, m_stop, m_reset, m_remove}) {
            button->setIcon(Theme::icon(button->property(kIcon).toString(), palette()));
        }
    }
}

} // namespace coldframe::ui
