// SPDX-License-Identifier: Apache-2.0
#include "ui/translations.h"

#include <QCoreApplication>
#include <QLibraryInfo>
#include <QTranslator>

#ifdef COLDFRAME_TRANSLATIONS
/// Pulls the resources out of the static library, which the linker would leave behind.
static void initResources() { Q_INIT_RESOURCE(translations); }
#endif

namespace coldframe::ui {

bool installTranslations(QCoreApplication& application, const QLocale& locale)
{
#ifdef COLDFRAME_TRANSLATIONS
    initResources();
#endif
    auto own = std::make_unique<QTranslator>();
    bool found = false;
    // In the user's order. The sources are English, so a language after English is never reached.
    for (QString language : locale.uiLanguages()) {
        language.replace(QLatin1Char('-'), QLatin1Char('_'));
        if (language == QStringLiteral("C") || language.section(QLatin1Char('_'), 0, 0) == QStringLiteral("en")) {
            break;
        }
        found = own->load(QStringLiteral("coldframe_") + language, QStringLiteral(":/translations"));
        if (found) {
            break;
        }
    }
    if (!found) {
        return false; // Qt's texts alone in another language would be a mixture
    }
    auto qt = std::make_unique<QTranslator>();
    if (qt->load(locale, QStringLiteral("qtbase"), QStringLiteral("_"), QLibraryInfo::path(QLibraryInfo::TranslationsPath))) {
        qt->setParent(&application);
        QCoreApplication::installTranslator(qt.release());
    }
    own->setParent(&application);
    return QCoreApplication::installTranslator(own.release());
}

} // namespace coldframe::ui
