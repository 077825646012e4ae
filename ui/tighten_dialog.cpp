// SPDX-License-Identifier: Apache-2.0
#include "ui/tighten_dialog.h"

#include "ui/text.h"

#include <QDateTime>
#include <QDialogButtonBox>
#include <QHeaderView>
#include <QLabel>
#include <QLocale>
#include <QPushButton>
#include <QTreeWidget>
#include <QVBoxLayout>
#include <set>

namespace coldframe::ui {

using nlohmann::json;

TightenDialog::TightenDialog(const json& answer, QWidget* parent)
    : QDialog(parent), m_document(answer.value("document", json::object()))
{
    setObjectName(QStringLiteral("tightenDialog"));
    setWindowTitle(tr("Tighten the Network"));
    setAttribute(Qt::WA_DeleteOnClose);
    resize(560, 460);
    auto* column = new QVBoxLayout(this);
    auto* text = new QLabel(tr("This sandbox used these hosts. Accept the list to lock it to them: what is not ticked, and whatever "
                               "else comes up, is denied then. Rules that deny stay."),
                            this);
    text->setTextFormat(Qt::PlainText);
    text->setWordWrap(true);
    column->addWidget(text);
    m_places = new QTreeWidget(this);
    m_places->setObjectName(QStringLiteral("tightenPlaces"));
    m_places->setAccessibleName(tr("Hosts that were used"));
    m_places->setHeaderLabels({tr("Host"), tr("Connections"), tr("Last")});
    m_places->setRootIsDecorated(false);
    m_places->setAlternatingRowColors(true);
    for (const json& place : listField(answer, "places")) {
        const QDateTime last = QDateTime::fromString(shownField(place, "lastSeen"), Qt::ISODate);
        auto* item = new QTreeWidgetItem(m_places, {shownField(place, "pattern"), QString::number(numberField(place, "count")),
                                                    last.isValid() ? QLocale().toString(last.toLocalTime(), QLocale::ShortFormat) : QString()});
        item->setData(0, Qt::UserRole, QString::fromStdString(rawField(place, "pattern")));
        item->setCheckState(0, Qt::Checked);
        item->setTextAlignment(1, Qt::AlignRight | Qt::AlignVCenter);
    }
    m_places->header()->setStretchLastSection(false);
    m_places->header()->setSectionResizeMode(0, QHeaderView::Stretch);
    m_places->header()->setSectionResizeMode(1, QHeaderView::ResizeToContents);
    m_places->header()->setSectionResizeMode(2, QHeaderView::ResizeToContents);
    column->addWidget(m_places, 1);
    auto* buttons = new QDialogButtonBox(QDialogButtonBox::Cancel, this);
    m_accept = buttons->addButton(tr("Lock to This List"), QDialogButtonBox::AcceptRole);
    m_accept->setObjectName(QStringLiteral("tightenAccept"));
    column->addWidget(buttons);
    connect(buttons, &QDialogButtonBox::accepted, this, &QDialog::accept);
    connect(buttons, &QDialogButtonBox::rejected, this, &QDialog::reject);
    connect(m_places, &QTreeWidget::itemChanged, this, &TightenDialog::enable);
}

void TightenDialog::enable()
{
    m_accept->setEnabled(document().at("rules").size() > 0);
}

json TightenDialog::document() const
{
    std::set<std::string> unticked;
    for (int i = 0; i < m_places->topLevelItemCount(); ++i) {
        const QTreeWidgetItem* item = m_places->topLevelItem(i);
        if (item->checkState(0) != Qt::Checked) {
            unticked.insert(item->data(0, Qt::UserRole).toString().toStdString());
        }
    }
    json document = m_document;
    json rules = json::array();
    for (const json& rule : listField(m_document, "rules")) {
        if (rawField(rule, "action") != "allow" || !unticked.contains(rawField(rule, "pattern"))) {
            rules.push_back(rule);
        }
    }
    document["rules"] = std::move(rules);
    return document;
}

} // namespace coldframe::ui
