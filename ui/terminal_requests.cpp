// SPDX-License-Identifier: Apache-2.0
// The part of TerminalSession that answers what a program, or a click on what it wrote, asks of the desktop.
#include "terminal/redraw.h"
#include "ui/ask.h"
#include "ui/terminal/notice_bar.h"
#include "ui/terminal/paste.h"
#include "ui/terminal/terminal_widget.h"
#include "ui/terminal_choices.h"
#include "ui/terminal_recording.h"
#include "ui/terminal_session.h"
#include "ui/text.h"
#include "ui/theme.h"

#include <QClipboard>
#include <QDesktopServices>
#include <QFileDialog>
#include <QLabel>
#include <QGuiApplication>
#include <QMenu>
#include <QUrl>

namespace coldframe::ui {

namespace {

constexpr int kNoticeBurst = 3;
constexpr int kNoticeWindow = 20000; ///< milliseconds

} // namespace

void TerminalSession::askPaste(const QString& text)
{
    const bool severalLines = text.contains(QLatin1Char('\n'));
    ask(this,
        {severalLines ? tr("Paste several lines") : tr("Paste control characters"),
         severalLines ? tr("Paste these lines into the terminal?") : tr("Paste this text into the terminal?"),
         (severalLines ? tr("Each line may be run as a command as soon as it is pasted:\n\n%1")
                       : tr("Control characters in it are left out, so that it may differ from what it seemed to be:\n\n%1"))
             .arg(pastePreview(text)),
         tr("Paste")},
        this, [this, text] { m_view->confirmPaste(text); });
}

void TerminalSession::takeClipboard(const QString& text)
{
    const ClipboardConsent consent = TerminalChoices::instance().clipboard();
    if (consent == ClipboardConsent::Never || text.isEmpty()) {
        return;
    }
    // Only the terminal in use may touch the clipboard without being asked again.
    if ((consent == ClipboardConsent::Always || m_mayCopy) && m_view->hasFocus()) {
        copyForProgram(text);
        return;
    }
    m_notice->ask(tr("The program wants to put text on the clipboard (%n character(s)).", nullptr, static_cast<int>(text.size())),
                  {{tr("Copy"), "clipboardOnce",
                    [this, text] {
                        m_mayCopy = true;
                        copyForProgram(text);
                    }},
                   {tr("Always"), "clipboardAlways",
                    [this, text] {
                        TerminalChoices::instance().chooseClipboard(ClipboardConsent::Always);
                        copyForProgram(text);
                    }},
                   {tr("Never"), "clipboardNever", [] { TerminalChoices::instance().chooseClipboard(ClipboardConsent::Never); }}});
}

void TerminalSession::copyForProgram(const QString& text)
{
    QGuiApplication::clipboard()->setText(text);
    m_notice->say(tr("The program put text on the clipboard (%n character(s)).", nullptr, static_cast<int>(text.size())));
}

void TerminalSession::openLink(const Link& link)
{
    const LinkJudgement judgement = judgeLink(link.target, link.text, m_folders);
    const QString target = shown(link.target.left(300).toStdString());
    switch (judgement.verdict) {
    case LinkVerdict::Open: QDesktopServices::openUrl(QUrl(judgement.target)); break;
    case LinkVerdict::Refuse: m_notice->say(tr("Not opened: %1 %2").arg(target, judgement.sentence)); break;
    case LinkVerdict::Ask:
        ask(this, {tr("Open link"), tr("Open this address?"), judgement.sentence + QStringLiteral("\n\n") + target, tr("Open")}, this,
            [address = judgement.target] { QDesktopServices::openUrl(QUrl(address)); });
        break;
    }
}

void TerminalSession::takeNotification(const QString& title, const QString& text)
{
    // A program in a loop must not flood the desktop; in the terminal at hand it is seen anyway.
    if (!m_noticesSince.isValid() || m_noticesSince.elapsed() > kNoticeWindow) {
        m_noticesSince.start();
        m_notices = 0;
    }
    const QString cleanTitle = shown(title.left(100).toStdString());
    const QString cleanText = shown(text.left(400).toStdString());
    if (m_view->hasFocus() && m_view->isActiveWindow()) {
        m_notice->say(cleanTitle.isEmpty() ? cleanText : tr("%1: %2").arg(cleanTitle, cleanText));
    } else if (++m_notices <= kNoticeBurst) {
        emit notified(cleanTitle, cleanText);
    }
}

void TerminalSession::addToMenu(QMenu* menu)
{
    menu->addSeparator();
    QAction* readOnly = menu->addAction(tr("Read-Only"), this, [this](bool on) {
        m_view->setReadOnly(on);
        emit stateChanged();
    });
    readOnly->setObjectName(QStringLiteral("menuReadOnly"));
    readOnly->setCheckable(true);
    readOnly->setChecked(m_view->isReadOnly());
    QAction* left = menu->addAction(m_isDetached ? tr("Attach Again") : tr("Detach"), this, [this] { m_isDetached ? attachAgain() : detach(); });
    left->setObjectName(QStringLiteral("menuDetach"));
    left->setEnabled(m_running && !m_session.empty());
    QAction* recording = isRecording() ? menu->addAction(tr("Stop Recording"), this, &TerminalSession::stopRecording)
                                       : menu->addAction(tr("Record…"), this, &TerminalSession::askRecording);
    recording->setObjectName(QStringLiteral("menuRecord"));
    recording->setEnabled(m_running);
    emit menuAboutToShow(menu);
}

bool TerminalSession::isRecording() const { return m_recording->isOn(); }

void TerminalSession::askRecording()
{
    auto* dialog = new QFileDialog(this, tr("Record terminal"), QString(), tr("Recordings (*.cast)"));
    dialog->setObjectName(QStringLiteral("recordingChooser"));
    dialog->setAttribute(Qt::WA_DeleteOnClose);
    dialog->setAcceptMode(QFileDialog::AcceptSave);
    dialog->setDefaultSuffix(QStringLiteral("cast"));
    connect(dialog, &QFileDialog::fileSelected, this, &TerminalSession::record);
    dialog->open();
}

void TerminalSession::record(const QString& path)
{
    QString problem;
    if (!m_recording->start(path, m_view->rows(), m_view->columns(), m_title, &problem)) {
        m_notice->say(tr("The recording stopped: %1").arg(problem));
        return;
    }
    terminal::RedrawOptions options;
    options.title = m_title.toStdString();
    m_recording->output(QByteArray::fromStdString(terminal::redraw(m_view->terminal(), options)));
    QPalette colors = palette();
    colors.setColor(QPalette::WindowText, Theme::bad(palette()));
    m_recordingMark->setPalette(colors);
    m_recordingMark->setText(tr("● Recording what the program shows to %1").arg(path));
    m_recordingMark->show();
    emit stateChanged();
}

void TerminalSession::stopRecording()
{
    if (m_recordingMark->isHidden()) {
        return;
    }
    m_recording->stop();
    m_recordingMark->hide();
    m_notice->say(tr("Recorded to %1.").arg(m_recording->path()));
    emit stateChanged();
}

} // namespace coldframe::ui
