// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/notice_bar.h"

#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QPushButton>
#include <QToolButton>

namespace coldframe::ui {

namespace {
constexpr int kShownMilliseconds = 8000;
} // namespace

NoticeBar::NoticeBar(QWidget* parent) : QFrame(parent)
{
    setObjectName(QStringLiteral("terminalNotice"));
    setAutoFillBackground(true);
    setFrameShape(QFrame::StyledPanel);
    setCursor(Qt::ArrowCursor);
    m_row = new QHBoxLayout(this);
    m_row->setContentsMargins(10, 5, 6, 5);
    m_text = new QLabel(this);
    m_text->setObjectName(QStringLiteral("terminalNoticeText"));
    m_text->setTextFormat(Qt::PlainText);
    m_text->setWordWrap(true);
    m_row->addWidget(m_text, 1);
    auto* close = new QToolButton(this);
    close->setText(QStringLiteral("✕"));
    close->setAutoRaise(true);
    close->setFocusPolicy(Qt::NoFocus);
    close->setObjectName(QStringLiteral("terminalNoticeClose"));
    close->setAccessibleName(tr("Close the notice"));
    connect(close, &QToolButton::clicked, this, [this] {
        m_isAsking = false;
        hide();
    });
    m_row->addWidget(close);
    m_timer.setSingleShot(true);
    connect(&m_timer, &QTimer::timeout, this, [this] { setVisible(m_isAsking); });
    parent->installEventFilter(this);
    hide();
}

QString NoticeBar::text() const { return isVisible() ? m_text->text() : QString(); }

void NoticeBar::say(const QString& text)
{
    if (!m_isAsking) {
        show(text, {});
        m_timer.start(kShownMilliseconds);
    }
}

void NoticeBar::ask(const QString& text, const QList<Choice>& choices)
{
    m_isAsking = true;
    show(text, choices);
}

void NoticeBar::show(const QString& text, const QList<Choice>& choices)
{
    for (QWidget* button : std::as_const(m_buttons)) {
        button->hide();
        button->deleteLater();
    }
    m_buttons.clear();
    m_text->setText(text);
    for (const Choice& choice : choices) {
        auto* button = new QPushButton(choice.text, this);
        button->setObjectName(QString::fromLatin1(choice.name));
        button->setFocusPolicy(Qt::NoFocus); // a key that is typed right now must not answer
        connect(button, &QPushButton::clicked, this, [this, chosen = choice.chosen] {
            m_isAsking = false;
            hide();
            chosen();
        });
        m_row->insertWidget(m_row->count() - 1, button);
        m_buttons.append(button);
    }
    setAccessibleName(text);
    QFrame::show();
    raise();
    place();
}

void NoticeBar::place()
{
    const int width = qMax(160, parentWidget()->width() - 30);
    const int height = qMax(sizeHint().height(), m_row->heightForWidth(width));
    setGeometry(6, qMax(0, parentWidget()->height() - height - 6), width, height);
}

bool NoticeBar::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::Resize && isVisible()) {
        place();
    }
    return QFrame::eventFilter(watched, event);
}

} // namespace coldframe::ui
