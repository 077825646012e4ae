// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal_replay.h"

#include "ui/terminal/terminal_widget.h"
#include "ui/terminal_choices.h"
#include "ui/theme.h"

#include <QComboBox>
#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QPushButton>
#include <QSlider>
#include <QVBoxLayout>
#include <algorithm>

namespace coldframe::ui {

namespace {

constexpr qint64 kSecond = 1'000'000;
constexpr double kSpeeds[] = {0.5, 1, 2, 4, 8};

QString clock(qint64 microseconds)
{
    const qint64 seconds = microseconds / kSecond;
    return QStringLiteral("%1:%2").arg(seconds / 60).arg(seconds % 60, 2, 10, QLatin1Char('0'));
}

} // namespace

TerminalReplay::TerminalReplay(terminal::CastReader recording, QWidget* parent) : QWidget(parent), m_recording(std::move(recording))
{
    setObjectName(QStringLiteral("terminalReplay"));
    auto* layout = new QVBoxLayout(this);
    layout->setContentsMargins(0, 0, 0, 0);
    m_view = new TerminalWidget(this);
    m_view->setObjectName(QStringLiteral("replayView"));
    m_view->setAccessibleName(tr("Recording"));
    m_view->setReadOnly(true);
    m_view->setLooks(TerminalChoices::instance().looks());
    m_view->setColorScheme(Theme::terminal(palette()));
    m_view->installEventFilter(this);
    layout->addWidget(m_view, 1);
    auto* row = new QHBoxLayout;
    row->setContentsMargins(8, 2, 8, 4);
    m_play = new QPushButton(tr("Play"), this);
    m_play->setObjectName(QStringLiteral("replayPlay"));
    m_slider = new QSlider(Qt::Horizontal, this);
    m_slider->setObjectName(QStringLiteral("replayPosition"));
    m_slider->setAccessibleName(tr("Position"));
    m_slider->setRange(0, static_cast<int>(qMin<qint64>(m_recording.duration() / 1000, 2'000'000'000)));
    m_text = new QLabel(this);
    m_speed = new QComboBox(this);
    m_speed->setObjectName(QStringLiteral("replaySpeed"));
    m_speed->setAccessibleName(tr("Speed"));
    for (const double speed : kSpeeds) {
        m_speed->addItem(tr("%1×").arg(speed), speed);
    }
    m_speed->setCurrentIndex(1);
    row->addWidget(m_play);
    row->addWidget(m_slider, 1);
    row->addWidget(m_text);
    row->addWidget(m_speed);
    layout->addLayout(row);
    setFocusProxy(m_view);
    m_timer.setInterval(15);
    connect(&m_timer, &QTimer::timeout, this, &TerminalReplay::advance);
    connect(m_play, &QPushButton::clicked, this, [this] { isPlaying() ? pause() : play(); });
    connect(m_slider, &QSlider::sliderMoved, this, [this](int milliseconds) { seek(milliseconds * qint64{1000}); });
    connect(m_speed, &QComboBox::currentIndexChanged, this, [this] { m_clock.start(); });
    seek(0);
}

qint64 TerminalReplay::position() const { return m_position; }

void TerminalReplay::play()
{
    if (m_position >= m_recording.duration()) {
        seek(0);
    }
    m_clock.start();
    m_timer.start();
    m_play->setText(tr("Pause"));
}

void TerminalReplay::pause()
{
    m_timer.stop();
    m_play->setText(tr("Play"));
}

void TerminalReplay::seek(qint64 microseconds)
{
    const qint64 to = std::clamp<qint64>(microseconds, 0, m_recording.duration());
    if (to < m_position || m_next == 0) { // what a screen was before is only found from the beginning
        m_view->clear();
        m_view->setFixedGrid(m_recording.header().rows, m_recording.header().columns);
        m_next = 0;
    }
    m_position = to;
    m_clock.start();
    showUpTo(to);
}

void TerminalReplay::advance()
{
    m_position = std::min<qint64>(m_recording.duration(), m_position + static_cast<qint64>(static_cast<double>(m_clock.nsecsElapsed()) / 1000 * m_speed->currentData().toDouble()));
    m_clock.start();
    showUpTo(m_position);
    if (m_position >= m_recording.duration()) {
        pause();
    }
}

void TerminalReplay::showUpTo(qint64 microseconds)
{
    const auto& events = m_recording.events();
    for (; m_next < events.size() && events[m_next].microseconds <= microseconds; ++m_next) {
        const terminal::CastEvent& event = events[m_next];
        if (event.kind == terminal::CastEvent::Kind::Resize) {
            m_view->setFixedGrid(event.rows, event.columns);
        } else {
            m_view->feed(QByteArray::fromStdString(event.output));
        }
    }
    showPosition();
}

void TerminalReplay::showPosition()
{
    if (!m_slider->isSliderDown()) {
        m_slider->setValue(static_cast<int>(m_position / 1000));
    }
    m_text->setText(tr("%1 of %2").arg(clock(m_position), clock(m_recording.duration())));
}

bool TerminalReplay::eventFilter(QObject* watched, QEvent* event)
{
    if (event->type() == QEvent::KeyPress) {
        const auto* key = static_cast<QKeyEvent*>(event);
        switch (key->key()) {
        case Qt::Key_Space: isPlaying() ? pause() : play(); return true;
        case Qt::Key_Left: seek(m_position - 5 * kSecond); return true;
        case Qt::Key_Right: seek(m_position + 5 * kSecond); return true;
        default: break;
        }
    }
    return QWidget::eventFilter(watched, event);
}

} // namespace coldframe::ui
