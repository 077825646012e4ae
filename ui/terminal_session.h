// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"
#include "ui/terminal/links.h"

#include <QElapsedTimer>
#include <QPointer>
#include <QStringList>
#include <QWidget>
#include <nlohmann/json.hpp>
#include <string>

class QLabel;
class QMenu;
class QPushButton;

namespace coldframe::api {
class Attachment;
class Client;
}

namespace coldframe::ui {

class NoticeBar;
class TerminalRecording;
class TerminalWidget;

/// One session: from the request to the exit, which stays readable. When the connection breaks, or the user detached it, it
/// waits to be attached again; its program goes on meanwhile.
class TerminalSession : public QWidget
{
    Q_OBJECT

public:
    /// Begins at once, when the view knows its size.
    TerminalSession(api::Client& client, std::string method, nlohmann::json params, QWidget* parent = nullptr);
    ~TerminalSession() override;

    bool isRunning() const { return m_running; }
    /// The engine's id of it; empty before the engine has said it.
    const std::string& session() const { return m_session; }
    /// The connection broke, not the program as far as is known.
    bool isLost() const { return m_lost; }
    /// The user left it.
    bool isDetached() const { return m_isDetached; }
    /// Of a lost or detached one: shows its screen as it is now.
    void attachAgain();
    /// Leaves the program to itself; its last screen stays to be seen.
    void detach();
    /// Of a lost one: the program is no more.
    void giveUp();
    /// What a terminal that is closed tells its program: a program may outlive its terminal otherwise.
    void hangUp();
    TerminalWidget* view() const { return m_view; }
    /// The workspaces of the sandbox on this computer: files there may be opened.
    void setFolders(const QStringList& folders) { m_folders = folders; }
    /// Whether the program is busy and how far it is (OSC 9;4): state 0 none, 1 so far, 2 failed, 3 busy, 4 paused.
    int progressState() const { return m_progressState; }
    int progressPercent() const { return m_progressPercent; }
    QString title() const { return m_title; }
    bool isRecording() const;
    /// From now on, beginning with the screen as it is. A file that is there is replaced.
    void record(const QString& path);
    void stopRecording();

signals:
    void titleChanged(const QString& title);
    void ended();
    /// Something that a tab shows: progress, detached, recording.
    void stateChanged();
    void notified(const QString& title, const QString& text);
    /// The owner adds to the menu of the view.
    void menuAboutToShow(QMenu* menu);

protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;

private:
    void begin();
    void attach();
    void lose(const QString& text);
    void dropAttachment();
    void end(const QString& text, bool good);
    void applyLooks();
    void askPaste(const QString& text);
    void takeClipboard(const QString& text);
    void copyForProgram(const QString& text);
    void openLink(const Link& link);
    void takeNotification(const QString& title, const QString& text);
    void addToMenu(QMenu* menu);
    void askRecording();

    api::Client& m_client;
    std::string m_method;
    nlohmann::json m_params;
    TerminalWidget* m_view = nullptr;
    NoticeBar* m_notice = nullptr;
    QLabel* m_status = nullptr;
    QLabel* m_recordingMark = nullptr;
    TerminalRecording* m_recording = nullptr;
    QPushButton* m_again = nullptr;
    QPointer<api::Attachment> m_attachment;
    std::string m_session;
    QStringList m_folders;
    QString m_title;
    int m_progressState = 0;
    int m_progressPercent = 0;
    bool m_begun = false;
    bool m_running = true; ///< or about to begin
    bool m_lost = false;
    bool m_isDetached = false;
    bool m_mayCopy = false; ///< allowed for as long as this session is shown
    QElapsedTimer m_lastBell;
    QElapsedTimer m_noticesSince;
    int m_notices = 0; ///< told to the desktop since then
};

} // namespace coldframe::ui
