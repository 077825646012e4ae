// SPDX-License-Identifier: Apache-2.0
#pragma once

#include "ui/terminal/logical_line.h"

#include <QList>
#include <QMetaType>
#include <QString>
#include <QStringList>
#include <optional>
#include <vector>

namespace coldframe::ui {

/// A part of one row.
struct RowPart
{
    qint64 row = 0;
    int from = 0;
    int to = 0;
    bool operator==(const RowPart&) const = default;
};

/// A link in a terminal: the program's own (OSC 8), or an address that the text shows.
struct Link
{
    QString target;
    QString text; ///< as it is shown
    std::vector<RowPart> parts;
};

/// The link at a cell, over wrapped rows.
std::optional<Link> linkAt(const terminal::Terminal& terminal, const Spot& cell);

struct FoundAddress
{
    int from = 0;
    int to = 0;
};
/// Web, mail and file addresses in a text, by a scan that looks at each character a bounded number of times.
QList<FoundAddress> findAddresses(const QString& text);

enum class LinkVerdict { Open, Ask, Refuse };

struct LinkJudgement
{
    LinkVerdict verdict = LinkVerdict::Refuse;
    QString sentence; ///< why it asks or refuses
    QString target;   ///< what to open: an address, or a local file
};

/// Whether a link of a hostile program may be opened: the web, mail, and files in a workspace that are no programs. `folders`
/// are the workspaces' paths on this computer. A text that shows another host than the target's has to be asked about.
LinkJudgement judgeLink(const QString& target, const QString& text, const QStringList& folders);

} // namespace coldframe::ui

Q_DECLARE_METATYPE(coldframe::ui::Link)
