// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFrame>
#include <QTimer>
#include <functional>

class QHBoxLayout;
class QLabel;

namespace coldframe::ui {

/// A line over the lower edge of a terminal that says what happened or asks, without taking the keys or the terminal's size.
class NoticeBar : public QFrame
{
    Q_OBJECT

public:
    struct Choice
    {
        QString text;
        const char* name = nullptr; ///< of the button
        std::function<void()> chosen;
    };

    explicit NoticeBar(QWidget* parent);
    /// Goes by itself after some seconds. Does not take the place of a question.
    void say(const QString& text);
    /// Stays until it is answered or closed. Another question takes its place.
    void ask(const QString& text, const QList<Choice>& choices);
    QString text() const;
    bool isAsking() const { return m_isAsking; }

protected:
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void show(const QString& text, const QList<Choice>& choices);
    void place();

    QHBoxLayout* m_row = nullptr;
    QLabel* m_text = nullptr;
    QList<QWidget*> m_buttons;
    QTimer m_timer;
    bool m_isAsking = false;
};

} // namespace coldframe::ui
