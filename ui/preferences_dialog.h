// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/window_settings.h"

#include <QDialog>
#include <nlohmann/json.hpp>

class QCheckBox;
class QComboBox;
class QDoubleSpinBox;
class QLabel;
class QLineEdit;
class QListWidget;
class QPushButton;
class QSpinBox;
class QTreeWidget;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class ProxyPage;
class TerminalPreferences;

/// The window's looks and the engine's settings. Each change holds at once; what the engine refuses is said and taken back.
/// Deletes itself when closed.
class PreferencesDialog : public QDialog
{
    Q_OBJECT

public:
    explicit PreferencesDialog(api::Client& client, QWidget* parent = nullptr);

signals:
    void windowSettingsChanged(const coldframe::ui::WindowSettings& settings);

private:
    QWidget* makeGeneral();
    QWidget* makeNetwork();
    void load();
    void takeSettings(const nlohmann::json& settings);
    void change(nlohmann::json fields);
    void changeWindow();
    void addMapping();
    void removeMapping();
    void addAuthority();
    void removeAuthority();
    void enableButtons();
    void tell(const QString& text);

    api::Client& m_client;
    nlohmann::json m_settings;
    WindowSettings m_window;
    bool m_filling = false; ///< fields are being set from the settings: no changes of the user
    QComboBox* m_theme = nullptr;
    QCheckBox* m_darkTerminals = nullptr;
    QComboBox* m_acceleration = nullptr;
    QCheckBox* m_consent = nullptr;
    QCheckBox* m_ask = nullptr;
    QComboBox* m_mode = nullptr;
    QComboBox* m_whenIdle = nullptr;
    QDoubleSpinBox* m_idleMinutes = nullptr;
    QTreeWidget* m_mappings = nullptr;
    QPushButton* m_removeMapping = nullptr;
    QLineEdit* m_mappedName = nullptr;
    QLineEdit* m_mappedAddress = nullptr;
    QSpinBox* m_mappedPort = nullptr;
    QSpinBox* m_mappedTarget = nullptr;
    QPushButton* m_addMapping = nullptr;
    QListWidget* m_authorities = nullptr;
    QPushButton* m_removeAuthority = nullptr;
    TerminalPreferences* m_terminal = nullptr;
    ProxyPage* m_proxy = nullptr;
    QLabel* m_message = nullptr;
};

} // namespace coldframe::ui
