// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/search_bar.h"

#include "ui/terminal/terminal_search.h"

#include <QHBoxLayout>
#include <QKeyEvent>
#include <QLabel>
#include <QLineEdit>
#include <QToolButton>

namespace coldframe::ui {

SearchBar::SearchBar(TerminalSearch& search, QWidget* parent) : QFrame(parent), m_search(search)
{
    setObjectName(QStringLiteral("searchBar"));
    setAutoFillBackground(true);
    setFrameShape(QFrame::StyledPanel);
    setCursor(Qt::ArrowCursor);
    auto* row = new QHBoxLayout(this);
    row->setContentsMargins(6, 4, 6, 4);
    row->setSpacing(4);
    m_text = new QLineEdit(this);
    m_text->setObjectName(QStringLiteral("searchText"));
    m_text->setPlaceholderText(tr("Search"));
    m_text->setAccessibleName(tr("Search in the terminal"));
    m_text->setMinimumWidth(120);
    m_text->setMaxLength(1000);
    row->addWidget(m_text, 1);
    m_count = new QLabel(this);
    m_count->setObjectName(QStringLiteral("searchCount"));
    m_count->setTextFormat(Qt::PlainText);
    row->addWidget(m_count);
    const auto add = [&](const QString& sign, const QString& meaning, const char* name, bool isSwitch) {
        auto* made = new QToolButton(this);
        made->setText(sign);
        made->setToolTip(meaning);
        made->setAccessibleName(meaning);
        made->setObjectName(QString::fromLatin1(name));
        made->setCheckable(isSwitch);
        made->setAutoRaise(true);
        row->addWidget(made);
        if (isSwitch) {
            connect(made, &QToolButton::toggled, this, &SearchBar::apply);
        }
        return made;
    };
    m_case = add(QStringLiteral("Aa"), tr("Match upper and lower case"), "searchCase", true);
    m_words = add(QStringLiteral("W"), tr("Whole words only"), "searchWords", true);
    m_expression = add(QStringLiteral(".*"), tr("Regular expression"), "searchExpression", true);
    auto* older = add(QStringLiteral("↑"), tr("The one before (Return)"), "searchOlder", false);
    auto* newer = add(QStringLiteral("↓"), tr("The one after (Shift+Return)"), "searchNewer", false);
    auto* close = add(QStringLiteral("✕"), tr("Close the search (Escape)"), "searchClose", false);
    connect(older, &QToolButton::clicked, this, [this] { m_search.step(-1); });
    connect(newer, &QToolButton::clicked, this, [this] { m_search.step(1); });
    connect(close, &QToolButton::clicked, this, &SearchBar::shut);
    connect(m_text, &QLineEdit::textChanged, this, &SearchBar::apply);
    connect(&m_search, &TerminalSearch::changed, this, &SearchBar::showCount);
}

void SearchBar::open(const QString& text)
{
    if (!text.isEmpty()) {
        m_text->setText(text);
    }
    show();
    raise();
    place();
    m_text->setFocus();
    m_text->selectAll();
    apply();
}

void SearchBar::shut()
{
    hide();
    m_search.stop();
    emit closed();
}

void SearchBar::apply()
{
    m_problem.clear();
    m_search.start(isVisible() ? m_text->text() : QString(), {m_case->isChecked(), m_expression->isChecked(), m_words->isChecked()}, &m_problem);
    showCount();
}

void SearchBar::showCount()
{
    QString text;
    if (!m_problem.isEmpty()) {
        text = tr("no regular expression");
    } else if (m_search.isOn()) {
        const auto count = static_cast<int>(m_search.count());
        const QString all = m_search.count() >= TerminalSearch::kMaxHits ? tr("%1 and more").arg(count)
                            : m_search.isDone()                         ? QString::number(count)
                                                                        : tr("%1…", "so many so far").arg(count);
        text = count == 0 && m_search.isDone() ? tr("none") : m_search.current() < 0 ? all : tr("%1 of %2").arg(m_search.current() + 1).arg(all);
    }
    m_count->setToolTip(m_problem);
    if (text != m_count->text()) {
        m_count->setText(text);
        place();
    }
}

void SearchBar::place()
{
    const int width = qMin(parentWidget()->width() - 24, qMax(sizeHint().width(), 380));
    setGeometry(qMax(0, parentWidget()->width() - width - 22), 4, qMax(120, width), sizeHint().height());
}

void SearchBar::keyPressEvent(QKeyEvent* event)
{
    event->accept(); // a key that nobody takes here is not typed into the terminal
    if (event->key() == Qt::Key_Escape) {
        shut();
    } else if (event->key() == Qt::Key_Return || event->key() == Qt::Key_Enter) {
        m_search.step(event->modifiers().testFlag(Qt::ShiftModifier) ? 1 : -1);
    }
}

} // namespace coldframe::ui
