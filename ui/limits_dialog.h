// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDialog>
#include <nlohmann/json_fwd.hpp>

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QPushButton;
class QSpinBox;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// What a sandbox may use, what holds each limit, and what becomes of it when nobody uses it. It stays open when something of a
/// change holds only later, and says so.
class LimitsDialog : public QDialog
{
    Q_OBJECT

public:
    LimitsDialog(api::Client& client, QString sandbox, QWidget* parent);

private:
    void load();
    void take(const nlohmann::json& sandbox);
    void save();
    void tell(const QString& text);
    void enable();

    api::Client& m_client;
    QString m_sandbox;
    QSpinBox* m_cpus = nullptr;
    QSpinBox* m_memory = nullptr;
    QSpinBox* m_disk = nullptr;
    QSpinBox* m_processes = nullptr;
    QCheckBox* m_service = nullptr;
    QComboBox* m_docker = nullptr;
    QComboBox* m_whenIdle = nullptr;
    QDoubleSpinBox* m_minutes = nullptr;
    QLabel* m_heldBy = nullptr;
    QLabel* m_message = nullptr;
    QPushButton* m_save = nullptr;
};

} // namespace coldframe::ui
