// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_session.h"

#include "api/attachment.h"
#include "api/client.h"
#include "ui/ask.h"
#include "ui/terminal/notice_bar.h"
#include "ui/terminal/terminal_widget.h"
#include "ui/terminal_choices.h"
#include "ui/terminal_recording.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QApplication>
#include <QEvent>
#include <QHBoxLayout>
#include <QLabel>
#include <QMenu>
#include <QPushButton>
#include <QTimer>
#include <QVBoxLayout>
#include <csignal>

namespace coldframe::ui {

TerminalSession::TerminalSession(api::Client& client, std::string method, nlohmann::json params, QWidget* parent)
    : QWidget(parent), m_client(client), m_method(std::move(method)), m_params(std::move(params))
{
    m_session = rawField(m_params, "session");
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    layout->setSpacing(0);
    m_view = new TerminalWidget(this);
    m_view->setObjectName(QStringLiteral("terminalView"));
    m_view->setAccessibleName(tr("Terminal"));
    m_notice = new NoticeBar(m_view);
    m_status = new QLabel(tr("Connecting"), this);
    m_status->setObjectName(QStringLiteral("terminalStatus"));
    m_status->setTextFormat(Qt::PlainText);
    m_status->setContentsMargins(8, 4, 8, 4);
    m_status->setWordWrap(true);
    m_again = new QPushButton(tr("Attach Again"), this);
    m_again->setObjectName(QStringLiteral("terminalAgain"));
    m_again->hide();
    auto* line = new QHBoxLayout;
    line->setContentsMargins(0, 0, 0, 0);
    line->addWidget(m_status, 1);
    line->addWidget(m_again);
    m_recordingMark = new QLabel(this);
    m_recordingMark->setObjectName(QStringLiteral("recordingMark"));
    m_recordingMark->setTextFormat(Qt::PlainText);
    m_recordingMark->setContentsMargins(8, 2, 8, 2);
    m_recordingMark->hide();
    m_recording = new TerminalRecording(this);
    layout->addWidget(m_recordingMark);
    layout->addWidget(m_view, 1);
    layout->addLayout(line);
    setFocusProxy(m_view);
    applyLooks();
    connect(&TerminalChoices::instance(), &TerminalChoices::changed, this, &TerminalSession::applyLooks);
    connect(m_again, &QPushButton::clicked, this, &TerminalSession::attachAgain);
    connect(m_view, &TerminalWidget::titleChanged, this, [this](const QString& title) {
        m_title = shown(title.left(80).toStdString());
        emit titleChanged(m_title);
    });
    connect(m_view, &TerminalWidget::pasteNeedsConfirmation, this, &TerminalSession::askPaste);
    connect(m_view, &TerminalWidget::clipboardOffered, this, &TerminalSession::takeClipboard);
    connect(m_view, &TerminalWidget::linkActivated, this, &TerminalSession::openLink);
    connect(m_view, &TerminalWidget::programNotified, this, &TerminalSession::takeNotification);
    connect(m_view, &TerminalWidget::menuAboutToShow, this, &TerminalSession::addToMenu);
    connect(m_view, &TerminalWidget::progressChanged, this, [this](int state, int percent) {
        m_progressState = qBound(0, state, 4);
        m_progressPercent = qBound(0, percent, 100);
        emit stateChanged();
    });
    connect(m_view, &TerminalWidget::sizeChanged, m_recording, &TerminalRecording::resize);
    connect(m_recording, &TerminalRecording::failed, this, [this](const QString& why) {
        stopRecording();
        m_notice->say(tr("The recording stopped: %1").arg(why));
    });
    connect(m_view, &TerminalWidget::bell, this, [this] {
        if (TerminalChoices::instance().looks().audibleBell && (!m_lastBell.isValid() || m_lastBell.elapsed() > 500)) {
            m_lastBell.start();
            QApplication::beep();
        }
    });
}

TerminalSession::~TerminalSession()
{
    if (m_attachment) {
        m_attachment->disconnect(this);
        m_attachment->close();
    }
}

void TerminalSession::applyLooks()
{
    m_view->setLooks(TerminalChoices::instance().looks());
    m_view->setColorScheme(Theme::terminal(palette()));
}

void TerminalSession::showEvent(QShowEvent* event)
{
    QWidget::showEvent(event);
    if (!m_begun) {
        m_begun = true;
        // The layout gives the view its size first, so that the program starts with the right one.
        QTimer::singleShot(0, this, &TerminalSession::begin);
    }
}

void TerminalSession::begin()
{
    m_params["rows"] = m_view->rows();
    m_params["columns"] = m_view->columns();
    m_params["tty"] = true;
    attach();
    connect(m_view, &TerminalWidget::bytesTyped, this, [this](const QByteArray& bytes) {
        if (m_attachment) {
            m_attachment->sendInput(bytes);
        }
    });
    connect(m_view, &TerminalWidget::sizeChanged, this, [this](int rows, int columns) {
        if (m_attachment) {
            m_attachment->sendResize(rows, columns);
        }
    });
    connect(m_view, &TerminalWidget::backlogged, this, [this](bool is) {
        if (m_attachment) {
            m_attachment->setReading(!is); // the program waits for the view
        }
    });
}

void TerminalSession::attach()
{
    m_running = true;
    m_lost = false;
    m_isDetached = false;
    m_again->hide();
    m_attachment = m_client.attach(m_method, m_params, this);
    connect(m_attachment, &api::Attachment::offered, this, [this](const nlohmann::json& answer) {
        const nlohmann::json session = answer.value("session", nlohmann::json());
        m_session = session.is_string() ? session.get<std::string>() : rawField(session, "id");
    });
    connect(m_attachment, &api::Attachment::opened, this, [this] {
        m_status->hide();
        m_attachment->sendResize(m_view->rows(), m_view->columns());
    });
    connect(m_attachment, &api::Attachment::output, m_view, &TerminalWidget::feed);
    connect(m_attachment, &api::Attachment::output, m_recording, &TerminalRecording::output);
    connect(m_attachment, &api::Attachment::exited, this, [this](int code, int signal) {
        end(signal != 0 ? tr("Ended by signal %1.").arg(signal) : tr("Ended with exit code %1.").arg(code),
            code == 0 && signal == 0);
    });
    connect(m_attachment, &api::Attachment::failed, this,
            [this](const coldframe::Error& error) { end(shown(error.message), false); });
    connect(m_attachment, &api::Attachment::closed, this, [this] {
        if (m_session.empty()) {
            end(tr("The connection to the program broke."), false);
        } else {
            lose(tr("The connection broke. The program is shown again when the sandbox can be reached."));
        }
    });
}

void TerminalSession::attachAgain()
{
    if (!m_lost && !m_isDetached) {
        return;
    }
    m_method = "session.attach";
    m_params = {{"sandbox", m_params["sandbox"]}, {"session", m_session}, {"rows", m_view->rows()}, {"columns", m_view->columns()}};
    m_view->clear();
    attach();
    m_view->setFocus();
    emit stateChanged();
}

void TerminalSession::detach()
{
    if (!m_running || m_session.empty() || !m_attachment) {
        return;
    }
    api::Attachment* left = m_attachment;
    dropAttachment();
    left->close();
    m_isDetached = true;
    m_status->setText(tr("Detached. The program goes on; this is the screen as it was."));
    m_status->show();
    m_again->show();
    emit stateChanged();
}

void TerminalSession::giveUp()
{
    if (m_lost) {
        m_lost = false;
        end(tr("The program ended."), false);
    }
}

void TerminalSession::lose(const QString& text)
{
    dropAttachment();
    m_lost = true;
    m_status->setText(text);
    m_status->show();
}

void TerminalSession::dropAttachment()
{
    if (m_attachment) {
        m_attachment->disconnect(m_view);
        m_attachment->disconnect(m_recording);
        m_attachment->disconnect(this);
        m_attachment->deleteLater();
        m_attachment = nullptr;
    }
}

void TerminalSession::end(const QString& text, bool good)
{
    m_running = false;
    m_progressState = 0;
    m_status->setText(text);
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, good ? Theme::quiet(palette()) : Theme::bad(palette()));
    m_status->setPalette(colors);
    m_status->show();
    dropAttachment();
    stopRecording();
    emit ended();
    emit stateChanged();
}

void TerminalSession::hangUp()
{
    if (m_running && m_attachment) {
        m_attachment->sendSignal(SIGHUP);
    }
}

void TerminalSession::changeEvent(QEvent* event)
{
    QWidget::changeEvent(event);
    if (event->type() == QEvent::PaletteChange && m_view) {
        m_view->setColorScheme(Theme::terminal(palette()));
    }
}

} // namespace coldframe::ui
