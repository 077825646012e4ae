// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QDialog>
#include <nlohmann/json.hpp>

class QPushButton;
class QTreeWidget;

namespace coldframe::ui {

/// What a sandbox used, as a list that the user edits and accepts. Changes nothing by itself.
class TightenDialog : public QDialog
{
    Q_OBJECT

public:
    /// `answer` is that of policy.tighten.
    explicit TightenDialog(const nlohmann::json& answer, QWidget* parent = nullptr);
    /// The policy with those that are still ticked.
    nlohmann::json document() const;

private:
    void enable();

    nlohmann::json m_document;
    QTreeWidget* m_places = nullptr;
    QPushButton* m_accept = nullptr;
};

} // namespace coldframe::ui
