// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <QLocale>

class QCoreApplication;

namespace coldframe::ui {

/// Gives the application the window's texts, and Qt's own, in the language of the locale, where there are some;
/// otherwise they stay English. Before the first window is made. False when there is nothing for the language.
bool installTranslations(QCoreApplication& application, const QLocale& locale);

} // namespace coldframe::ui
