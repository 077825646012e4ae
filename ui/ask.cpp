// SPDX-License-Identifier: Apache-2.0
#include "ui/ask.h"

#include <QCoreApplication>
#include <QMessageBox>
#include <QPushButton>

namespace coldframe::ui {

void ask(QWidget* parent, const Question& question, QObject* context, std::function<void()> accepted,
         std::function<void()> otherwise)
{
    auto* box = new QMessageBox(QMessageBox::Warning, question.title, question.text, QMessageBox::NoButton, parent);
    box->setObjectName(QStringLiteral("confirmBox"));
    box->setAttribute(Qt::WA_DeleteOnClose);
    // The text may quote names from inside a sandbox.
    box->setTextFormat(Qt::PlainText);
    box->setInformativeText(question.detail);
    QPushButton* accept = box->addButton(question.accept, QMessageBox::AcceptRole);
    accept->setObjectName(QStringLiteral("confirmAccept"));
    if (!question.other.isEmpty()) {
        QPushButton* other = box->addButton(question.other, QMessageBox::NoRole);
        other->setObjectName(QStringLiteral("confirmOther"));
        QObject::connect(other, &QPushButton::clicked, context, std::move(otherwise));
    }
    QPushButton* cancel = box->addButton(QCoreApplication::translate("ask", "Cancel"), QMessageBox::RejectRole);
    cancel->setObjectName(QStringLiteral("confirmCancel"));
    box->setDefaultButton(cancel);
    box->setEscapeButton(cancel);
    QObject::connect(accept, &QPushButton::clicked, context, std::move(accepted));
    box->open();
}

} // namespace coldframe::ui
