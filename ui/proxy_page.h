// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QWidget>
#include <nlohmann/json.hpp>

class QComboBox;
class QFormLayout;
class QLabel;
class QLineEdit;
class QPushButton;
class QSpinBox;

namespace coldframe::ui {

/// The page of the preferences about the proxy of the user's network. Its fields belong together, so they hold when they are applied.
class ProxyPage : public QWidget
{
    Q_OBJECT

public:
    explicit ProxyPage(QWidget* parent = nullptr);

    /// Fills the fields from the engine's settings.
    void setSettings(const nlohmann::json& settings);

signals:
    /// The new value of the setting "upstreamProxy".
    void applied(const nlohmann::json& setting);

private:
    void showFitting();
    nlohmann::json entered() const;

    QFormLayout* m_form = nullptr;
    QComboBox* m_kind = nullptr;
    QLineEdit* m_host = nullptr;
    QSpinBox* m_port = nullptr;
    QLineEdit* m_script = nullptr;
    QLineEdit* m_user = nullptr;
    QLineEdit* m_exempt = nullptr;
    QLabel* m_passwordHint = nullptr;
    QLabel* m_delegated = nullptr;
    QPushButton* m_apply = nullptr;
    bool m_isShown = false; ///< with the engine's settings in it
};

} // namespace coldframe::ui
