// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/network_model.h"
#include "ui/rules.h"

#include <QSortFilterProxyModel>
#include <QWidget>

class QComboBox;
class QLabel;
class QLineEdit;
class QPushButton;
class QTableView;

namespace coldframe::ui {

/// Filters by verdict and by text.
class NetworkFilter : public QSortFilterProxyModel
{
    Q_OBJECT

public:
    using QSortFilterProxyModel::QSortFilterProxyModel;
    void setText(const QString& text);
    void setOnlyBlocked(int choice); ///< 0 all, 1 blocked and failed, 2 allowed

protected:
    bool filterAcceptsRow(int row, const QModelIndex& parent) const override;

private:
    QString m_text;
    int m_choice = 0;
};

/// The live list of a sandbox's connections, with rules made from its rows.
class NetworkPage : public QWidget
{
    Q_OBJECT

public:
    NetworkPage(api::Client& client, const QString& sandbox, QWidget* parent = nullptr);
    NetworkModel* model() const { return m_model; }

signals:
    void said(const QString& text);
    void failed(const QString& text);

protected:
    void showEvent(QShowEvent* event) override;
    void changeEvent(QEvent* event) override;
    bool eventFilter(QObject* watched, QEvent* event) override;

private:
    void loadLog();
    void fitColumns();
    void showRightSide();
    void showMenu(const QPoint& point);
    void makeRule(RuleAction action);
    const ConnectionRow* chosen() const;
    void enableButtons();

    api::Client& m_client;
    QString m_id;
    NetworkModel* m_model = nullptr;
    NetworkFilter* m_filter = nullptr;
    QLineEdit* m_search = nullptr;
    QComboBox* m_verdicts = nullptr;
    QTableView* m_table = nullptr;
    QLabel* m_empty = nullptr;
    QLabel* m_details = nullptr;
    QPushButton* m_allow = nullptr;
    QPushButton* m_deny = nullptr;
    bool m_loaded = false;
};

} // namespace coldframe::ui
