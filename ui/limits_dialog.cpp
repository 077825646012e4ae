// SPDX-License-Identifier: Apache-2.0
#include "ui/limits_dialog.h"

#include "api/client.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QCheckBox>
#include <QComboBox>
#include <QDialogButtonBox>
#include <QDoubleSpinBox>
#include <QFormLayout>
#include <QLabel>
#include <QPushButton>
#include <QSpinBox>
#include <QVBoxLayout>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

using nlohmann::json;

namespace {

QSpinBox* number(QWidget* parent, const char* name, const QString& accessible, int least, int most, const QString& suffix)
{
    auto* made = new QSpinBox(parent);
    made->setObjectName(QString::fromLatin1(name));
    made->setAccessibleName(accessible);
    made->setRange(least, most);
    made->setSuffix(suffix);
    return made;
}

QLabel* words(QWidget* parent, const char* name)
{
    auto* label = new QLabel(parent);
    label->setObjectName(QString::fromLatin1(name));
    label->setTextFormat(Qt::PlainText);
    label->setWordWrap(true);
    return label;
}

/// The engine's word for a limit, for people.
QString nameOf(const QString& word)
{
    return word == QStringLiteral("cpus")          ? LimitsDialog::tr("Processors")
           : word == QStringLiteral("memory")      ? LimitsDialog::tr("Memory")
           : word == QStringLiteral("disk")        ? LimitsDialog::tr("Disk")
           : word == QStringLiteral("processes")   ? LimitsDialog::tr("Processes")
           : word == QStringLiteral("openFiles")   ? LimitsDialog::tr("Open files")
           : word == QStringLiteral("connections") ? LimitsDialog::tr("Connections")
                                                   : word;
}

} // namespace

LimitsDialog::LimitsDialog(api::Client& client, QString sandbox, QWidget* parent)
    : QDialog(parent), m_client(client), m_sandbox(std::move(sandbox))
{
    setObjectName(QStringLiteral("limitsDialog"));
    setWindowTitle(tr("Limits"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(560, 470);
    auto* column = new QVBoxLayout(this);
    auto* form = new QFormLayout;
    form->setFieldGrowthPolicy(QFormLayout::FieldsStayAtSizeHint);
    m_cpus = number(this, "limitsCpus", tr("Processors"), 0, 64, {});
    m_cpus->setSpecialValueText(tr("As suits the computer"));
    m_memory = number(this, "limitsMemory", tr("Memory"), 512, 1024 * 1024, tr(" MiB"));
    m_memory->setSingleStep(256);
    m_disk = number(this, "limitsDisk", tr("Disk"), 8, 4096, tr(" GiB"));
    m_processes = number(this, "limitsProcesses", tr("Processes"), 0, 30000, {});
    m_processes->setSpecialValueText(tr("As suits its memory"));
    m_service = new QCheckBox(tr("A service: it runs also when nobody uses it"), this);
    m_service->setObjectName(QStringLiteral("limitsService"));
    m_whenIdle = new QComboBox(this);
    m_whenIdle->setObjectName(QStringLiteral("limitsWhenIdle"));
    m_whenIdle->setAccessibleName(tr("When nobody uses it"));
    m_whenIdle->addItem(tr("As the preferences say"), QStringLiteral("default"));
    m_whenIdle->addItem(tr("It runs on"), QStringLiteral("nothing"));
    m_whenIdle->addItem(tr("It is paused"), QStringLiteral("pause"));
    m_whenIdle->addItem(tr("It is stopped"), QStringLiteral("stop"));
    m_docker = new QComboBox(this);
    m_docker->setObjectName(QStringLiteral("limitsDocker"));
    m_docker->setAccessibleName(tr("Docker inside"));
    m_docker->addItem(tr("Starts when its agent needs it"), QVariant());
    m_docker->addItem(tr("Starts with the sandbox"), true);
    m_docker->addItem(tr("Starts when it is first used"), false);
    m_minutes = new QDoubleSpinBox(this);
    m_minutes->setObjectName(QStringLiteral("limitsMinutes"));
    m_minutes->setAccessibleName(tr("Minutes without use"));
    m_minutes->setRange(0, 44640);
    m_minutes->setDecimals(1);
    m_minutes->setSuffix(tr(" minutes"));
    m_minutes->setSpecialValueText(tr("As the preferences say"));
    form->addRow(tr("&Processors"), m_cpus);
    form->addRow(tr("&Memory"), m_memory);
    form->addRow(tr("&Disk"), m_disk);
    form->addRow(tr("P&rocesses"), m_processes);
    form->addRow(tr("Doc&ker inside"), m_docker);
    form->addRow(tr("When &idle"), m_whenIdle);
    form->addRow(tr("&After"), m_minutes);
    form->addRow(QString(), m_service);
    column->addLayout(form);
    m_heldBy = words(this, "limitsHeldBy");
    m_heldBy->setTextInteractionFlags(Qt::TextSelectableByMouse);
    QPalette quiet = palette();
    quiet.setColor(QPalette::WindowText, Theme::quiet(quiet));
    m_heldBy->setPalette(quiet);
    column->addWidget(m_heldBy);
    column->addStretch(1);
    m_message = words(this, "limitsMessage");
    m_message->hide();
    column->addWidget(m_message);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Close, this);
    m_save = buttons->button(QDialogButtonBox::Save);
    m_save->setObjectName(QStringLiteral("limitsSave"));
    m_save->setEnabled(false);
    column->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &LimitsDialog::save);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::close);
    connect(m_service, &QCheckBox::toggled, this, &LimitsDialog::enable);
    connect(m_whenIdle, &QComboBox::currentIndexChanged, this, &LimitsDialog::enable);
    enable();
    load();
}

void LimitsDialog::enable()
{
    m_whenIdle->setEnabled(!m_service->isChecked());
    m_minutes->setEnabled(!m_service->isChecked() && m_whenIdle->currentData() != QStringLiteral("nothing"));
}

void LimitsDialog::load()
{
    m_client.call("sandbox.inspect", {{"sandbox", m_sandbox.toStdString()}}, this, [this](Result<json> answer) {
        if (answer) {
            take(*answer);
            m_save->setEnabled(true);
        } else {
            tell(shown(answer.error().message));
        }
    });
}

void LimitsDialog::take(const json& sandbox)
{
    m_cpus->setValue(static_cast<int>(numberField(sandbox, "cpus")));
    m_memory->setValue(static_cast<int>(numberField(sandbox, "memoryMiB")));
    m_disk->setValue(static_cast<int>(numberField(sandbox, "diskGiB")));
    m_disk->setMinimum(m_disk->value()); // it can only grow
    m_processes->setValue(static_cast<int>(numberField(sandbox, "processes")));
    const json docker = sandbox.is_object() ? sandbox.value("dockerAtStart", json()) : json();
    m_docker->setCurrentIndex(docker.is_boolean() ? m_docker->findData(docker.get<bool>()) : 0);
    m_service->setChecked(flagField(sandbox, "service"));
    const json idle = sandbox.is_object() ? sandbox.value("idle", json::object()) : json::object();
    m_whenIdle->setCurrentIndex(qMax(0, m_whenIdle->findData(shownField(idle, "when"))));
    const auto minutes = idle.is_object() ? idle.find("minutes") : idle.end();
    m_minutes->setValue(minutes != idle.end() && minutes->is_number() ? minutes->get<double>() : 0);
    QStringList lines;
    for (const json& limit : listField(sandbox, "limits")) {
        lines.append(tr("%1: %2, held by %3").arg(nameOf(shownField(limit, "name")), shownField(limit, "value"), shownField(limit, "heldBy")));
    }
    m_heldBy->setText(lines.join(QLatin1Char('\n')));
    enable();
}

void LimitsDialog::save()
{
    m_save->setEnabled(false);
    m_message->hide();
    const json wanted{{"sandbox", m_sandbox.toStdString()},
                      {"cpus", m_cpus->value()},
                      {"memoryMiB", m_memory->value()},
                      {"diskGiB", m_disk->value()},
                      {"processes", m_processes->value()},
                      {"service", m_service->isChecked()},
                      {"dockerAtStart", m_docker->currentData().isValid() ? json(m_docker->currentData().toBool()) : json()},
                      {"whenIdle", m_whenIdle->currentData().toString().toStdString()},
                      {"idleMinutes", m_minutes->value()}};
    m_client.call("sandbox.set", wanted, this, [this](Result<json> answer) {
        m_save->setEnabled(true);
        if (!answer) {
            tell(shown(answer.error().message));
            return;
        }
        QStringList notes;
        for (const json& note : listField(*answer, "notes")) {
            notes.append(note.is_string() ? shown(note.get<std::string>()) : QString());
        }
        if (notes.isEmpty()) {
            accept();
            return;
        }
        take(*answer);
        tell(tr("Saved. %1").arg(notes.join(QLatin1Char(' '))));
    });
}

void LimitsDialog::tell(const QString& text)
{
    m_message->setText(text);
    m_message->show();
}

} // namespace coldframe::ui
