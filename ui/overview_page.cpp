// SPDX-License-Identifier: Apache-2.0
#include "ui/overview_page.h"

#include "api/client.h"
#include "ui/ask.h"
#include "ui/limits_dialog.h"
#include "ui/sandbox.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QEvent>
#include <QFormLayout>
#include <QHBoxLayout>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace coldframe::ui {

namespace {

constexpr const char* kTitle = "title";

QLabel* plainLabel(QWidget* parent)
{
    auto* label = new QLabel(parent);
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    label->setTextInteractionFlags(Qt::TextSelectableByMouse | Qt::TextSelectableByKeyboard);
    return label;
}

void setInk(QLabel* label, const QColor& color)
{
    QPalette palette = label->palette();
    if (palette.color(QPalette::WindowText) != color) {
        palette.setColor(QPalette::WindowText, color);
        label->setPalette(palette);
    }
}

} // namespace

OverviewPage::OverviewPage(api::Client& client, const QString& sandbox, QWidget* parent)
    : QWidget(parent), m_client(client), m_id(sandbox)
{
    setObjectName(QStringLiteral("overviewPage"));
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    auto* area = new QScrollArea(this);
    area->setObjectName(QStringLiteral("overviewArea"));
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    outer->addWidget(area);
    auto* content = new QWidget(area);
    area->setWidget(content);
    m_form = new QFormLayout(content);
    m_form->setContentsMargins(18, 18, 18, 18);
    m_form->setHorizontalSpacing(20);
    m_form->setVerticalSpacing(12);
    m_form->setFieldGrowthPolicy(QFormLayout::AllNonFixedFieldsGrow);
    m_form->setLabelAlignment(Qt::AlignLeft | Qt::AlignTop);

    m_state = addRow(tr("State"), "overviewState");
    m_problem = addRow(tr("Problem"), "overviewProblem");
    m_notice = addRow(tr("Notice"), "overviewNotice");
    m_warnings = addRow(tr("Limits"), "overviewWarnings");
    m_isolation = addRow(tr("Isolation"), "overviewIsolation");
    m_agent = addRow(tr("Agent"), "overviewAgent");
    m_workspaces = addRow(tr("Workspace"), "overviewWorkspace");
    m_syncBox = new QWidget(content);
    m_syncBox->setObjectName(QStringLiteral("overviewSync"));
    m_syncLayout = new QVBoxLayout(m_syncBox);
    m_syncLayout->setContentsMargins(0, 0, 0, 0);
    m_form->addRow(tr("Sync"), m_syncBox);
    m_blocked = addRow(tr("Blocked"), "overviewBlocked");
    m_resources = addRow(tr("Size"), "overviewResources");
    auto* limits = new QPushButton(tr("Limits…"), content);
    limits->setObjectName(QStringLiteral("limits"));
    limits->setToolTip(tr("Processors, memory, disk, processes, and what happens when nobody uses it."));
    m_form->addRow(QString(), limits);
    m_form->setAlignment(limits, Qt::AlignLeft);
    connect(limits, &QPushButton::clicked, this, [this] {
        auto* dialog = new LimitsDialog(m_client, m_id, this);
        dialog->open();
    });

    auto* commandRow = new QHBoxLayout;
    m_command = new QLineEdit(content);
    m_command->setObjectName(QStringLiteral("launchCommand"));
    m_command->setAccessibleName(tr("Launch command"));
    m_command->setReadOnly(true);
    m_command->setFont(QFont(QStringLiteral("monospace")));
    auto* copy = new QPushButton(tr("Copy"), content);
    copy->setObjectName(QStringLiteral("copyLaunchCommand"));
    copy->setAccessibleName(tr("Copy the launch command"));
    connect(copy, &QPushButton::clicked, this, &OverviewPage::copyRequested);
    commandRow->addWidget(m_command, 1);
    commandRow->addWidget(copy);
    m_form->addRow(tr("Launch command"), commandRow);
    auto* hint = plainLabel(content);
    hint->setText(tr("Run it in any terminal to attach to the agent in this sandbox."));
    hint->setObjectName(QStringLiteral("launchHint"));
    hint->setAlignment(Qt::AlignLeft | Qt::AlignTop); // the layout keeps room for a second line
    m_form->addRow(QString(), hint);
}

QLabel* OverviewPage::addRow(const QString& title, const char* name)
{
    QLabel* label = plainLabel(m_form->parentWidget());
    label->setObjectName(QString::fromLatin1(name));
    label->setProperty(kTitle, title);
    m_form->addRow(title, label);
    return label;
}

namespace {

/// A name given to a label hides its text from a screen reader, so the name says both.
void setValue(QLabel* label, const QString& text)
{
    label->setText(text);
    label->setAccessibleName(OverviewPage::tr("%1: %2").arg(label->property(kTitle).toString(), text));
}

} // namespace

void OverviewPage::show(const Sandbox& sandbox)
{
    m_stateValue = static_cast<int>(sandbox.state);
    const QString state = stateText(sandbox.state);
    setValue(m_state, state.at(0).toUpper() + state.mid(1));
    setValue(m_problem, sandbox.problem);
    m_form->setRowVisible(m_problem, !sandbox.problem.isEmpty());
    setValue(m_notice, sandbox.notice);
    m_form->setRowVisible(m_notice, !sandbox.notice.isEmpty());
    setValue(m_warnings, sandbox.warnings.join(QLatin1Char('\n')));
    m_form->setRowVisible(m_warnings, !sandbox.warnings.isEmpty());
    setValue(m_isolation, sandbox.reducedIsolation
                             ? tr("Reduced isolation: the sandbox is emulated, not run by KVM. Do not run in it what you "
                                  "would not trust.")
                         : sandbox.state == SandboxState::Absent || sandbox.state == SandboxState::Preparing
                             ? tr("Known when it starts")
                             : tr("Own kernel in a microVM (KVM)"));
    setValue(m_agent, sandbox.agent);
    QStringList folders;
    for (const Workspace& workspace : sandbox.workspaces) {
        const QString path = shownPath(workspace.path);
        folders.append(workspace.readOnly ? tr("%1 (read only)").arg(path) : path);
    }
    setValue(m_workspaces, folders.isEmpty() ? tr("None") : folders.join(QLatin1Char('\n')));
    const QString memory = shownBytes(sandbox.memoryMiB << 20);
    QString size = sandbox.cpus > 0 && !sandbox.reducedIsolation ? tr("%1 processors, %2 memory").arg(sandbox.cpus).arg(memory)
                                                                 : tr("%1 memory").arg(memory);
    if (sandbox.diskGiB > 0) {
        size = tr("%1, %2 disk").arg(size, shownBytes(sandbox.diskGiB << 30));
    }
    setValue(m_resources, sandbox.isService ? tr("%1; a service").arg(size) : size);
    setValue(m_blocked, sandbox.blockedCount == 0
                           ? tr("No connection was blocked")
                           : tr("Connections blocked: %1; the Network page lists them").arg(sandbox.blockedCount));
    if (m_command->text() != sandbox.launchCommand) {
        m_command->setText(sandbox.launchCommand);
    }
    m_isolation->setProperty("reduced", sandbox.reducedIsolation);
    showSyncs(sandbox);
    paintColors();
}

void OverviewPage::showSyncs(const Sandbox& sandbox)
{
    std::vector<SyncStatus> syncs = sandbox.syncs;
    if (syncs.empty()) {
        syncs.push_back(sandbox.syncSummary);
        // The summary of one workspace is that workspace's.
        if (syncs.front().path.empty() && sandbox.workspaces.size() == 1) {
            syncs.front().path = sandbox.workspaces.front().path;
        }
    }
    QString wanted;
    m_pauses.clear();
    for (const SyncStatus& sync : syncs) {
        wanted += shownPath(sync.path) + QLatin1Char('\n') + syncText(sync) + QLatin1Char('\n');
        if (sync.isPaused()) {
            m_pauses.insert(QString::fromStdString(sync.path), syncText(sync));
        }
    }
    if (wanted == m_syncShown) {
        return;
    }
    m_syncShown = wanted;
    while (QLayoutItem* item = m_syncLayout->takeAt(0)) {
        if (QWidget* old = item->widget()) {
            old->hide();
            old->deleteLater();
        }
        delete item;
    }
    for (const SyncStatus& sync : syncs) {
        auto* row = new QWidget(m_syncBox);
        auto* line = new QHBoxLayout(row);
        line->setContentsMargins(0, 0, 0, 0);
        QLabel* text = plainLabel(row);
        text->setObjectName(QStringLiteral("syncLine"));
        text->setProperty(kTitle, tr("Sync"));
        const QString state = syncText(sync);
        setValue(text, syncs.size() > 1 ? tr("%1: %2").arg(shownPath(sync.path), state) : state);
        text->setProperty("paused", sync.isPaused());
        line->addWidget(text, 1);
        if (sync.isPaused() && !sync.path.empty()) {
            auto* button = new QPushButton(tr("Go On…"), row);
            button->setObjectName(QStringLiteral("syncGoOn"));
            connect(button, &QPushButton::clicked, this, [this, sync] { askToGoOn(sync); });
            line->addWidget(button, 0, Qt::AlignTop);
        }
        m_syncLayout->addWidget(row);
        row->show(); // now, not with the next event: a line that comes and goes would flicker
    }
}

void OverviewPage::askToGoOn(const SyncStatus& sync)
{
    ask(this,
        {tr("Go on with the sync"), syncText(sync),
         tr("Going on applies this to %1 on this computer. Files that it replaces or deletes can be brought back from "
            "the trash of the sync.")
             .arg(shownPath(sync.path)),
         tr("Go On")},
        this, [this, sync] {
            // The yes holds for the reason that was shown, not for another that came meanwhile.
            if (m_pauses.value(QString::fromStdString(sync.path)) == syncText(sync)) {
                goOn(sync.path, "deletions");
            } else {
                emit failed(tr("The sync's state changed meanwhile; look again."));
            }
        });
}

void OverviewPage::goOn(const std::string& path, const std::string& accept)
{
    m_client.call("sync.resume", {{"sandbox", m_id.toStdString()}, {"path", path}, {"accept", accept}}, this,
                  [this, path, accept](Result<nlohmann::json> answer) {
                      if (answer) {
                          return;
                      }
                      // Busy: it is paused for the other reason, a root that was emptied or replaced.
                      if (answer.error().code == ErrorCode::Busy && accept == "deletions") {
                          goOn(path, "root");
                      } else {
                          emit failed(shown(answer.error().message));
                      }
                  });
}

void OverviewPage::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) {
        paintColors();
    }
}

void OverviewPage::paintColors()
{
    if (m_stateValue < 0) {
        return;
    }
    setInk(m_state, stateColor(static_cast<SandboxState>(m_stateValue), palette()));
    setInk(m_problem, Theme::bad(palette()));
    setInk(m_warnings, Theme::bad(palette()));
    const QColor ink = palette().color(QPalette::WindowText);
    setInk(m_isolation, m_isolation->property("reduced").toBool() ? Theme::busy(palette()) : ink);
    for (QLabel* line : m_syncBox->findChildren<QLabel*>(QStringLiteral("syncLine"))) {
        setInk(line, line->property("paused").toBool() ? Theme::busy(palette()) : ink);
    }
    if (auto* hint = findChild<QLabel*>(QStringLiteral("launchHint"))) {
        setInk(hint, Theme::quiet(palette()));
    }
}

} // namespace coldframe::ui
