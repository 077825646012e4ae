// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "base/result.h"

#include <QString>
#include <functional>
#include <optional>
#include <string>

class QObject;

namespace coldframe::api {
class Client;
}

namespace coldframe::ui {

/// The rule pattern for exactly this host and port. The host is the guest's word: a wildcard, a range or anything that
/// is not one plain name or address gives nothing, so that a click never allows more than what is shown.
std::optional<std::string> exactPattern(const std::string& host, qint64 port);

enum class RuleAction { Allow, Deny };

/// policy.add for one sandbox; `origin` is "notification" or "".
void addRule(api::Client& client, const QString& sandbox, RuleAction action, const std::string& pattern,
             const std::string& origin, QObject* context, std::function<void(Result<void>)> done);

} // namespace coldframe::ui
