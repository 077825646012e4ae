// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QLabel>

namespace coldframe::ui {

/// One line of plain text that gives up its middle where there is no room, so that it never makes the window wide. Screen readers
/// and tests have the whole text.
class ElidedLabel : public QLabel
{
    Q_OBJECT

public:
    explicit ElidedLabel(QWidget* parent = nullptr);
    QSize minimumSizeHint() const override;

protected:
    void paintEvent(QPaintEvent* event) override;
};

} // namespace coldframe::ui
