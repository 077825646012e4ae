// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <QHash>
#include <QObject>
#include <nlohmann/json_fwd.hpp>
#include <string>

class QWidget;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

class SandboxModel;

/// What is under way for one sandbox.
struct Operation
{
    qint64 call = 0;
    QString text;
    qint64 done = 0;
    qint64 total = 0; ///< 0: unknown
    bool cancelling = false;
};

/// Start, stop, reset, remove and copy, for the window and the tray alike: asks where something is lost, calls the
/// engine, keeps the progress. One operation per sandbox at a time.
class SandboxActions : public QObject
{
    Q_OBJECT

public:
    /// `window` carries the questions.
    SandboxActions(api::Client& client, SandboxModel& model, QWidget* window);

    void start(const QString& id);
    void stop(const QString& id);
    void pause(const QString& id);
    void reset(const QString& id);
    void remove(const QString& id);
    void fork(const QString& id);
    void saveTemplate(const QString& id, const QString& name, bool withMemory);
    void rollBack(const QString& id, const QString& name);
    void copyLaunchCommand(const QString& id);
    void cancel(const QString& id);

    /// Null when nothing is under way.
    const Operation* operation(const QString& id) const;

signals:
    void operationChanged(const QString& id);
    /// Sentences for the user.
    void failed(const QString& id, const QString& text);
    void said(const QString& text);

private:
    void run(const QString& id, std::string method, const QString& text);
    void run(const QString& id, std::string method, const QString& text, nlohmann::json more);
    void finished(const QString& id, const std::string& method, const nlohmann::json& more, const Result<nlohmann::json>& answer);
    void tell(const QString& id, const std::string& method, const nlohmann::json& answer);
    void askForce(const QString& id, const std::string& method, const nlohmann::json& more, const Error& error);

    api::Client& m_client;
    SandboxModel& m_model;
    QWidget* m_window;
    QHash<QString, Operation> m_operations;
};

} // namespace coldframe::ui
