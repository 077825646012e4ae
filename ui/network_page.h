// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/network_model.h"
#include "ui/rules.h"

#include <QTimer>
#include <QWidget>

class QComboBox;
class QLabel;
class QStackedWidget;
class QLineEdit;
class QPushButton;
class QTableView;

namespace coldframe::ui {

class PlacesModel;

/// The live list of a sandbox's connections, each or by host, with rules made from its rows.
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
    void makeTables();
    QTableView* makeTable(const char* name, QAbstractItemModel* model);
    void onConnection(const nlohmann::json& connection);
    void applyFilter();
    void loadPage();
    void loadPlaces();
    bool showsPlaces() const;
    QTableView* table() const;
    void fitColumns();
    int verdictWidth() const;
    void fitPlaces();
    void showRightSide();
    void showMenu(const QPoint& point);
    void makeRule(RuleAction action);
    void copyChosen();
    void chooseExport();
    const ConnectionRow* chosen() const;
    void enableButtons();

    api::Client& m_client;
    QString m_id;
    NetworkModel* m_model = nullptr;
    PlacesModel* m_places = nullptr;
    int m_verdictWidth = 0;
    NetworkFilter m_filter;
    QLineEdit* m_search = nullptr;
    QComboBox* m_verdicts = nullptr;
    QComboBox* m_view = nullptr;
    QStackedWidget* m_stack = nullptr;
    QTableView* m_table = nullptr;
    QTableView* m_placesTable = nullptr;
    QLabel* m_empty = nullptr;
    QLabel* m_details = nullptr;
    QPushButton* m_copy = nullptr;
    QPushButton* m_allow = nullptr;
    QPushButton* m_deny = nullptr;
    QTimer m_typing;        ///< the log is not asked with each letter
    QTimer m_placesRefresh; ///< nor for the places with each connection
    int m_asked = 0;        ///< answers to what was asked before the filter changed are not taken
    bool m_isLoading = false;
    bool m_loaded = false;
};

} // namespace coldframe::ui
