// SPDX-License-Identifier: Apache-2.0
#include "ui/moments_menu.h"

#include "api/client.h"
#include "ui/sandbox_actions.h"
#include "ui/sandbox_model.h"
#include "ui/text.h"

#include <QCheckBox>
#include <QDialog>
#include <QDialogButtonBox>
#include <QLabel>
#include <QLineEdit>
#include <QPushButton>
#include <QRegularExpressionValidator>
#include <QVBoxLayout>
#include <nlohmann/json.hpp>

namespace coldframe::ui {

MomentsMenu::MomentsMenu(api::Client& client, const SandboxModel& model, SandboxActions& actions, QString sandbox, QWidget* parent)
    : QMenu(parent), m_client(client), m_model(model), m_actions(actions), m_sandbox(std::move(sandbox))
{
    setObjectName(QStringLiteral("moments"));
    setToolTipsVisible(true);
    m_fork = addAction(tr("Fork"), this, [this] { m_actions.fork(m_sandbox); });
    m_fork->setObjectName(QStringLiteral("fork"));
    m_fork->setToolTip(tr("Starts a copy of it as it is now, with a copy of the workspace beside the original."));
    m_save = addAction(tr("Save as Template…"), this, &MomentsMenu::askName);
    m_save->setObjectName(QStringLiteral("saveTemplate"));
    m_back = addMenu(tr("Roll Back To"));
    m_back->setObjectName(QStringLiteral("rollBack"));
    connect(this, &QMenu::aboutToShow, this, &MomentsMenu::listTemplates);
}

void MomentsMenu::askName()
{
    auto* dialog = new QDialog(parentWidget());
    dialog->setObjectName(QStringLiteral("saveTemplateDialog"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setWindowTitle(tr("Save as Template"));
    auto* column = new QVBoxLayout(dialog);
    auto* text = new QLabel(tr("Its disk is kept under a name. New sandboxes can start from it, and this one can go back to it. "
                               "Log-ins and other secrets on the disk are part of it."), dialog);
    text->setTextFormat(Qt::PlainText);
    text->setWordWrap(true);
    auto* name = new QLineEdit(dialog);
    name->setObjectName(QStringLiteral("templateName"));
    name->setAccessibleName(tr("Name of the template"));
    name->setPlaceholderText(tr("Name of the template"));
    name->setMaxLength(63);
    static const QRegularExpression valid(QStringLiteral("[A-Za-z0-9][A-Za-z0-9._-]*"));
    name->setValidator(new QRegularExpressionValidator(valid, name));
    auto* memory = new QCheckBox(tr("With the programs that run now"), dialog);
    memory->setObjectName(QStringLiteral("templateMemory"));
    memory->setToolTip(tr("Going back then goes on exactly there. New sandboxes start from the disk alone."));
    const Sandbox* sandbox = m_model.find(m_sandbox);
    memory->setEnabled(sandbox && sandbox->isRunning());
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Save | QDialogButtonBox::Cancel, dialog);
    QPushButton* save = buttons->button(QDialogButtonBox::Save);
    save->setEnabled(false);
    connect(name, &QLineEdit::textChanged, save, [name, save] { save->setEnabled(name->hasAcceptableInput()); });
    connect(buttons, &QDialogButtonBox::rejected, dialog, &QDialog::reject);
    connect(buttons, &QDialogButtonBox::accepted, this, [this, dialog, name, memory] {
        m_actions.saveTemplate(m_sandbox, name->text(), memory->isEnabled() && memory->isChecked());
        dialog->accept();
    });
    for (QWidget* part : std::initializer_list<QWidget*>{text, name, memory, buttons}) {
        column->addWidget(part);
    }
    dialog->open();
    name->setFocus();
}

void MomentsMenu::listTemplates()
{
    const Sandbox* sandbox = m_model.find(m_sandbox);
    const bool isFree = sandbox && !sandbox->isChanging() && !m_actions.operation(m_sandbox);
    m_fork->setEnabled(isFree);
    m_save->setEnabled(isFree);
    m_back->setEnabled(false);
    const QString agent = sandbox ? sandbox->agent : QString();
    m_client.call("template.list", nlohmann::json::object(), this, [this, agent, isFree](Result<nlohmann::json> answer) {
        m_back->clear();
        for (const nlohmann::json& item : answer ? listField(*answer, "templates") : nlohmann::json::array()) {
            const QString name = shownField(item, "name");
            if (shownField(item, "agent") == agent && !name.isEmpty()) {
                // An ampersand would be a mnemonic; names have none (the engine checks them), others' words might.
                m_back->addAction(QString(name).replace(QLatin1Char('&'), QStringLiteral("&&")), this,
                                  [this, name] { m_actions.rollBack(m_sandbox, name); });
            }
        }
        m_back->setEnabled(isFree && !m_back->isEmpty());
    });
}

} // namespace coldframe::ui
