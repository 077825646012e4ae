// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "terminal/asciicast.h"

#include <QElapsedTimer>
#include <QTimer>
#include <QWidget>

class QComboBox;
class QLabel;
class QPushButton;
class QSlider;

namespace coldframe::ui {

class TerminalWidget;

/// Plays a recording: space plays and pauses, the arrow keys go five seconds back and on. Nothing is typed and nothing is asked
/// of the desktop: a recording may come from anybody.
class TerminalReplay : public QWidget
{
    Q_OBJECT

public:
    TerminalReplay(terminal::CastReader recording, QWidget* parent = nullptr);
    TerminalWidget* view() const { return m_view; }
    bool isPlaying() const { return m_timer.isActive(); }
    qint64 position() const; ///< microseconds

public slots:
    void play();
    void pause();
    void seek(qint64 microseconds);

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void advance();
    void showUpTo(qint64 microseconds);
    void showPosition();

    terminal::CastReader m_recording;
    TerminalWidget* m_view = nullptr;
    QPushButton* m_play = nullptr;
    QSlider* m_slider = nullptr;
    QComboBox* m_speed = nullptr;
    QLabel* m_text = nullptr;
    QTimer m_timer;
    QElapsedTimer m_clock;   ///< since m_position was right
    qint64 m_position = 0;   ///< microseconds
    std::size_t m_next = 0;  ///< event
};

} // namespace coldframe::ui
