// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDialog>
#include <QWidget>
#include <nlohmann/json_fwd.hpp>

class QLabel;
class QProgressBar;
class QPushButton;
class QVBoxLayout;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// What stands between this machine and a running sandbox, each with its remedy; what can be mended from here has a button.
/// As a summary it shows only what is not well, and nothing at all when everything is.
class SystemCheck : public QWidget
{
    Q_OBJECT

public:
    enum class Extent { Summary, Everything };

    SystemCheck(api::Client& client, Extent extent, QWidget* parent = nullptr);
    /// Every line as text, for a report.
    QString report() const { return m_report; }

public slots:
    void load();

signals:
    void loaded();

protected:
    void changeEvent(QEvent* event) override;

private:
    void showChecks(const nlohmann::json& checks);
    void addRow(const nlohmann::json& check);
    void tell(const QString& text);
    void buildImage();
    void paintColors();

    api::Client& m_client;
    Extent m_extent;
    QVBoxLayout* m_rows = nullptr;
    QLabel* m_message = nullptr;
    QWidget* m_work = nullptr;
    QLabel* m_workText = nullptr;
    QProgressBar* m_progress = nullptr;
    QPushButton* m_cancel = nullptr;
    QString m_report;
    qint64 m_call = 0; ///< of the image's build; 0: none
};

/// The whole check in a window of its own. Deletes itself when closed.
class SystemCheckDialog : public QDialog
{
    Q_OBJECT

public:
    explicit SystemCheckDialog(api::Client& client, QWidget* parent = nullptr);
};

} // namespace coldframe::ui
