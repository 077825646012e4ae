// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QListView>

namespace coldframe::ui {

/// The list of sandboxes, which says what goes here while it is empty.
class SandboxList : public QListView
{
    Q_OBJECT

public:
    using QListView::QListView;

protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace coldframe::ui
