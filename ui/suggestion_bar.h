// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QFrame>
#include <QTimer>
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <vector>

class QLabel;
class QPushButton;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// Changes of the rules that the engine suggests, one at a time: what the user answered again and again, rules that nothing uses. Hidden
/// while there are none. Nothing is changed without a click.
class SuggestionBar : public QFrame
{
    Q_OBJECT

public:
    SuggestionBar(api::Client& client, const QString& sandbox, QWidget* parent);

    /// One that comes into view cannot be answered for so long: a click that was meant for another does not become its answer.
    static constexpr int kGuardMilliseconds = 500;

    /// Asks the engine what there is now.
    void load();

signals:
    void said(const QString& text);
    void failed(const QString& text);

private:
    struct Suggestion
    {
        std::string id;
        QString text;
        QString hosts; ///< more about it
        QString done;  ///< what is so once it was accepted
    };

    static Suggestion read(const nlohmann::json& suggestion);
    void refresh();
    void answer(bool accept);

    api::Client& m_client;
    QString m_id;
    std::vector<Suggestion> m_suggestions;
    QLabel* m_text = nullptr;
    QLabel* m_more = nullptr;
    QPushButton* m_accept = nullptr;
    QPushButton* m_dismiss = nullptr;
    QTimer m_guard;
    std::string m_shown; ///< id
};

} // namespace coldframe::ui
