// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFrame>

class QLabel;
class QLineEdit;
class QToolButton;

namespace coldframe::ui {

class TerminalSearch;

/// The field in the upper right corner of a terminal in which a text is searched while it is typed. Return: the next older hit,
/// Shift+Return: the next newer one, Escape: away.
class SearchBar : public QFrame
{
    Q_OBJECT

public:
    SearchBar(TerminalSearch& search, QWidget* parent);
    /// With this text, or the last one.
    void open(const QString& text);
    /// Into the corner of the parent.
    void place();

signals:
    void closed();

protected:
    void keyPressEvent(QKeyEvent* event) override;

private:
    void apply();
    void showCount();
    void shut();

    TerminalSearch& m_search;
    QLineEdit* m_text = nullptr;
    QLabel* m_count = nullptr;
    QToolButton* m_case = nullptr;
    QToolButton* m_words = nullptr;
    QToolButton* m_expression = nullptr;
    QString m_problem;
};

} // namespace coldframe::ui
