// SPDX-License-Identifier: Apache-2.0
#include "ui/system_check.h"

#include "api/client.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QClipboard>
#include <QEvent>
#include <QGuiApplication>
#include <QHBoxLayout>
#include <QLabel>
#include <QProgressBar>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace coldframe::ui {

namespace {

constexpr const char* kSeverity = "severity";

QLabel* plainLabel(const QString& text, const char* name, QWidget* parent)
{
    auto* label = new QLabel(text, parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

QString titleOf(const std::string& name)
{
    if (name == "libvirt") {
        return SystemCheck::tr("MicroVMs");
    }
    if (name == "acceleration") {
        return SystemCheck::tr("Acceleration");
    }
    if (name == "image") {
        return SystemCheck::tr("Guest image");
    }
    if (name == "memory") {
        return SystemCheck::tr("Memory");
    }
    if (name == "disk") {
        return SystemCheck::tr("Disk");
    }
    if (name == "limits") {
        return SystemCheck::tr("Limits");
    }
    if (name == "keychain") {
        return SystemCheck::tr("Keychain");
    }
    return shown(name);
}

QString wordFor(const std::string& severity)
{
    return severity == "ok" ? SystemCheck::tr("Good") : severity == "error" ? SystemCheck::tr("Problem") : SystemCheck::tr("Note");
}

QString markFor(const std::string& severity)
{
    return severity == "ok" ? QStringLiteral("✓") : severity == "error" ? QStringLiteral("✕") : QStringLiteral("!");
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

SystemCheck::SystemCheck(api::Client& client, Extent extent, QWidget* parent)
    : QWidget(parent), m_client(client), m_extent(extent)
{
    setObjectName(QStringLiteral("systemCheck"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(10);
    m_rows = new QVBoxLayout;
    m_rows->setSpacing(10);
    layout->addLayout(m_rows);
    m_message = plainLabel({}, "checkMessage", this);
    m_message->hide();
    layout->addWidget(m_message);
    m_work = new QWidget(this);
    auto* row = new QHBoxLayout(m_work);
    row->setContentsMargins(0, 0, 0, 0);
    m_workText = plainLabel({}, "checkWork", m_work);
    m_progress = new QProgressBar(m_work);
    m_progress->setObjectName(QStringLiteral("checkProgress"));
    m_progress->setAccessibleName(tr("Progress"));
    m_progress->setTextVisible(false);
    m_cancel = new QPushButton(tr("Cancel"), m_work);
    m_cancel->setObjectName(QStringLiteral("checkCancel"));
    m_cancel->setAutoDefault(false);
    row->addWidget(m_workText, 1);
    row->addWidget(m_progress, 1);
    row->addWidget(m_cancel);
    m_work->hide();
    layout->addWidget(m_work);
    connect(m_cancel, &QPushButton::clicked, this, [this] {
        m_client.cancel(m_call);
        m_cancel->setEnabled(false);
    });
    if (m_extent == Extent::Everything) {
        tell(tr("Looking at this machine."));
    }
}

void SystemCheck::load()
{
    m_client.call("engine.diagnose", nlohmann::json::object(), this, [this](Result<nlohmann::json> answer) {
        if (!answer) {
            tell(shown(answer.error().message));
            return;
        }
        m_message->hide();
        showChecks(listField(*answer, "checks"));
        emit loaded();
    });
}

void SystemCheck::showChecks(const nlohmann::json& checks)
{
    while (QLayoutItem* item = m_rows->takeAt(0)) {
        if (QWidget* old = item->widget()) {
            old->hide();
            old->deleteLater();
        }
        delete item;
    }
    m_report.clear();
    for (const nlohmann::json& check : checks) {
        const QString remedy = shownField(check, "remedy");
        m_report += QStringLiteral("%1: %2: %3%4\n").arg(wordFor(rawField(check, kSeverity)), titleOf(rawField(check, "name")),
                                                          shownField(check, "text"), remedy.isEmpty() ? QString() : QLatin1Char(' ') + remedy);
        if (m_extent == Extent::Everything || rawField(check, kSeverity) != "ok") {
            addRow(check);
        }
    }
    paintColors();
}

void SystemCheck::addRow(const nlohmann::json& check)
{
    const std::string severity = rawField(check, kSeverity);
    const std::string name = rawField(check, "name");
    auto* row = new QWidget(this);
    row->setObjectName(QStringLiteral("check-") + QString::fromStdString(name));
    auto* line = new QHBoxLayout(row);
    line->setContentsMargins(0, 0, 0, 0);
    line->setSpacing(12);
    auto* mark = new QLabel(markFor(severity), row);
    mark->setObjectName(QStringLiteral("checkMark"));
    mark->setProperty(kSeverity, QString::fromStdString(severity));
    mark->setAccessibleName(wordFor(severity));
    mark->setFixedWidth(fontMetrics().horizontalAdvance(QLatin1Char('M')) + 4);
    QFont bold = mark->font();
    bold.setBold(true);
    mark->setFont(bold);
    line->addWidget(mark, 0, Qt::AlignTop);
    auto* words = new QVBoxLayout;
    words->setSpacing(2);
    QLabel* title = plainLabel(titleOf(name), "checkTitle", row);
    title->setFont(bold);
    title->setAccessibleName(tr("%1: %2").arg(titleOf(name), wordFor(severity)));
    words->addWidget(title);
    words->addWidget(plainLabel(shownField(check, "text"), "checkText", row));
    const QString remedy = shownField(check, "remedy");
    if (!remedy.isEmpty()) {
        words->addWidget(plainLabel(remedy, "checkRemedy", row));
    }
    line->addLayout(words, 1);
    if (name == "image" && severity != "ok") {
        auto* build = new QPushButton(tr("Build Now"), row);
        build->setObjectName(QStringLiteral("checkBuild"));
        build->setAccessibleName(tr("Build the guest image now"));
        build->setEnabled(m_call == 0);
        build->setAutoDefault(false);
        connect(build, &QPushButton::clicked, this, &SystemCheck::buildImage);
        line->addWidget(build, 0, Qt::AlignTop);
    }
    m_rows->addWidget(row);
}

void SystemCheck::buildImage()
{
    for (QPushButton* build : findChildren<QPushButton*>(QStringLiteral("checkBuild"))) {
        build->setEnabled(false);
    }
    m_workText->setText(tr("Building the guest image"));
    m_progress->setRange(0, 0);
    m_cancel->setEnabled(true);
    m_work->show();
    m_call = m_client.call(
        "image.build", {{"force", false}, {"progress", true}}, this,
        [this](Result<nlohmann::json> answer) {
            m_call = 0;
            m_work->hide();
            if (!answer && answer.error().code != ErrorCode::Cancelled) {
                tell(shown(answer.error().message));
            }
            load();
        },
        [this](const api::Progress& progress) {
            m_workText->setText(shown(progress.text));
            m_progress->setRange(0, progress.total > 0 ? 1000 : 0);
            if (progress.total > 0) {
                m_progress->setValue(static_cast<int>(1000.0 * static_cast<double>(progress.done) / static_cast<double>(progress.total)));
            }
        });
}

void SystemCheck::tell(const QString& text)
{
    m_message->setText(text);
    m_message->show();
}

void SystemCheck::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange) {
        paintColors();
    }
}

void SystemCheck::paintColors()
{
    for (QLabel* mark : findChildren<QLabel*>(QStringLiteral("checkMark"))) {
        const QString severity = mark->property(kSeverity).toString();
        setInk(mark, severity == QStringLiteral("ok")      ? Theme::good(palette())
                     : severity == QStringLiteral("error") ? Theme::bad(palette())
                                                           : Theme::busy(palette()));
    }
    for (QLabel* remedy : findChildren<QLabel*>(QStringLiteral("checkRemedy"))) {
        setInk(remedy, Theme::quiet(palette()));
    }
}

SystemCheckDialog::SystemCheckDialog(api::Client& client, QWidget* parent) : QDialog(parent)
{
    setObjectName(QStringLiteral("systemCheckDialog"));
    setWindowTitle(tr("System Check"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(600, 480);
    auto* layout = new QVBoxLayout(this);
    auto* area = new QScrollArea(this);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    auto* content = new QWidget(area);
    auto* column = new QVBoxLayout(content);
    column->setContentsMargins(4, 4, 12, 4);
    auto* check = new SystemCheck(client, SystemCheck::Extent::Everything, content);
    column->addWidget(check);
    column->addStretch(1);
    area->setWidget(content);
    layout->addWidget(area, 1);
    auto* row = new QHBoxLayout;
    auto* copy = new QPushButton(tr("Copy Report"), this);
    copy->setObjectName(QStringLiteral("checkCopy"));
    copy->setAutoDefault(false);
    auto* again = new QPushButton(tr("Check Again"), this);
    again->setObjectName(QStringLiteral("checkAgain"));
    again->setAutoDefault(false);
    auto* closeButton = new QPushButton(tr("Close"), this);
    closeButton->setObjectName(QStringLiteral("checkClose"));
    closeButton->setDefault(true);
    row->addWidget(copy);
    row->addWidget(again);
    row->addStretch(1);
    row->addWidget(closeButton);
    layout->addLayout(row);
    connect(copy, &QPushButton::clicked, this, [check] { QGuiApplication::clipboard()->setText(check->report()); });
    connect(again, &QPushButton::clicked, check, &SystemCheck::load);
    connect(closeButton, &QPushButton::clicked, this, &QDialog::close);
    check->load();
}

} // namespace coldframe::ui
