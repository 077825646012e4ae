// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QString>
#include <functional>

class QObject;
class QWidget;

namespace coldframe::ui {

/// A question before something is lost.
struct Question
{
    QString title;
    QString text;   ///< what happens
    QString detail; ///< what is lost and what stays
    QString accept; ///< the verb on the button
    QString other{};  ///< a second verb that loses nothing; empty: none
};

/// Asks in a box of its own without blocking; `accepted` is called at most once, not after `context` is gone. Cancel is
/// the default. The box is named "confirmBox", its buttons "confirmAccept", "confirmOther" and "confirmCancel".
void ask(QWidget* parent, const Question& question, QObject* context, std::function<void()> accepted,
         std::function<void()> otherwise = {});

} // namespace coldframe::ui
