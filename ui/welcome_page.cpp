// SPDX-License-Identifier: Apache-2.0
#include "ui/welcome_page.h"

#include "ui/system_check.h"

#include <QLabel>
#include <QPushButton>
#include <QScrollArea>
#include <QVBoxLayout>

namespace coldframe::ui {

namespace {

constexpr int kTextWidth = 560;

QFont scaled(QFont font, double factor, bool bold)
{
    font.setPointSizeF(font.pointSizeF() * factor);
    font.setBold(bold);
    return font;
}

} // namespace

WelcomePage::WelcomePage(api::Client& client, QWidget* parent) : QWidget(parent)
{
    setObjectName(QStringLiteral("welcome"));
    auto* outer = new QVBoxLayout(this);
    outer->setContentsMargins(0, 0, 0, 0);
    auto* area = new QScrollArea(this);
    area->setWidgetResizable(true);
    area->setFrameShape(QFrame::NoFrame);
    area->setHorizontalScrollBarPolicy(Qt::ScrollBarAlwaysOff);
    outer->addWidget(area);
    auto* content = new QWidget(area);
    area->setWidget(content);
    auto* sides = new QHBoxLayout(content);
    auto* column = new QWidget(content);
    column->setMaximumWidth(kTextWidth);
    sides->addStretch(1);
    sides->addWidget(column, 100);
    sides->addStretch(1);

    auto* layout = new QVBoxLayout(column);
    layout->setContentsMargins(16, 24, 16, 24);
    layout->setSpacing(16);
    m_title = new QLabel(column);
    m_title->setObjectName(QStringLiteral("welcomeTitle"));
    m_title->setFont(scaled(m_title->font(), 1.8, true));
    m_title->setAlignment(Qt::AlignCenter);
    m_title->setWordWrap(true);
    m_text = new QLabel(column);
    m_text->setObjectName(QStringLiteral("welcomeText"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_text->setAlignment(Qt::AlignCenter);
    m_button = new QPushButton(tr("New Sandbox…"), column);
    m_button->setObjectName(QStringLiteral("welcomeNewSandbox"));
    m_button->setFont(scaled(m_button->font(), 1.25, false));
    m_button->setMinimumSize(240, 48);
    m_check = new SystemCheck(client, SystemCheck::Extent::Summary, column);
    m_more = new QPushButton(tr("System Check…"), column);
    m_more->setObjectName(QStringLiteral("welcomeCheck"));
    m_more->setFlat(true);
    layout->addStretch(1);
    layout->addWidget(m_title);
    layout->addWidget(m_text);
    layout->addWidget(m_button, 0, Qt::AlignHCenter);
    layout->addSpacing(16);
    layout->addWidget(m_check);
    layout->addWidget(m_more, 0, Qt::AlignHCenter);
    layout->addStretch(2);
    connect(m_button, &QPushButton::clicked, this, &WelcomePage::newSandboxWanted);
    connect(m_more, &QPushButton::clicked, this, &WelcomePage::checkWanted);
    showWaiting({});
}

void WelcomePage::showWaiting(const QString& problem)
{
    m_ready = false;
    m_button->setEnabled(false);
    m_more->hide();
    m_check->hide();
    if (problem.isEmpty()) {
        m_title->setText(tr("Coldframe"));
        m_text->setText(tr("Starting the engine."));
    } else {
        m_title->setText(tr("The engine does not answer"));
        m_text->setText(problem);
    }
}

void WelcomePage::showReady()
{
    if (m_ready) {
        return;
    }
    m_ready = true;
    m_button->setEnabled(true);
    m_more->show();
    m_check->show();
    m_check->load();
    m_title->setText(tr("Run a coding agent in its own microVM"));
    m_text->setText(tr("Choose a project folder, or drop one here. The agent works on it inside a sandbox: it reaches only the hosts "
                       "that you allow, never sees your keys, and its edits come back to the folder."));
}

} // namespace coldframe::ui
