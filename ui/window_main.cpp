// SPDX-License-Identifier: Apache-2.0
#include "ui/window_main.h"

#include "api/client.h"
#include "base/log.h"
#include "base/secret.h"
#include "ui/blocked_notices.h"
#include "ui/main_window.h"
#include "ui/notifier.h"
#include "ui/question_bar.h"
#include "ui/single_window.h"
#include "ui/terminal_choices.h"
#include "ui/theme.h"
#include "ui/translations.h"
#include "ui/tray.h"
#include "ui/window_settings.h"

#include <QApplication>
#include <QDir>
#include <cstdio>

namespace coldframe::ui {

namespace {

struct Wish
{
    bool newSandbox = false;
    QString folder;
    bool understood = true;
};

Wish wishOf(const QStringList& arguments)
{
    Wish wish;
    for (qsizetype i = 1; i < arguments.size(); ++i) {
        if (arguments[i] == QStringLiteral("--new-sandbox") && i + 1 < arguments.size()) {
            wish.newSandbox = true;
            wish.folder = QDir::cleanPath(QDir::current().absoluteFilePath(arguments[++i]));
        } else if (!(i == 1 && arguments[i] == QStringLiteral("window"))) {
            wish.understood = false;
        }
    }
    return wish;
}

void grant(MainWindow& window, const Wish& wish)
{
    if (wish.newSandbox) {
        window.openNewSandbox(wish.folder);
    } else {
        window.bringUp();
    }
}

} // namespace

int runWindow(int argc, char** argv)
{
    // Keys are typed into this process.
    forbidCoreDumps();
    QApplication app(argc, argv);
    QApplication::setApplicationName(QStringLiteral("coldframe"));
    QApplication::setApplicationDisplayName(QStringLiteral("Coldframe"));
    QApplication::setDesktopFileName(QStringLiteral("coldframe"));
    QApplication::setQuitOnLastWindowClosed(false);
    installTranslations(app, QLocale());
    const Wish wish = wishOf(QApplication::arguments());
    if (!wish.understood) {
        std::fputs("coldframe: the window takes only --new-sandbox FOLDER; “coldframe --help” lists the commands.\n", stderr);
        return 2;
    }
    SingleWindow single;
    if (single.handOver(wish.newSandbox, wish.folder)) {
        return 0;
    }
    Theme theme;
    const WindowSettings settings = loadWindowSettings();
    Theme::setTerminalDark(settings.darkTerminals);
    theme.apply(settings.theme);
    QApplication::setWindowIcon(Theme::icon(QStringLiteral("coldframe"), QApplication::palette()));

    api::Client client;
    int status = 1;
    topCatchAll("window", [&] {
        MainWindow window(client);
        Tray tray(window);
        DesktopNotifier notifier;
        QObject::connect(&notifier, &DesktopNotifier::undelivered, &tray, &Tray::say);
        BlockedNotices notices(client, window.model(), notifier);
        QObject::connect(&notices, &BlockedNotices::said, &window, &MainWindow::say);
        QObject::connect(&window.questions(), &QuestionBar::asked, &notices, [&window, &notices](const QString& sandbox, const QString& name, const QString& target) {
            if (!window.isActiveWindow()) {
                notices.tellQuestion(sandbox, name, target);
            }
        });
        QObject::connect(&window, &MainWindow::programNotified, &notices, &BlockedNotices::tellProgram);
        QObject::connect(&notices, &BlockedNotices::sandboxWanted, &window, &MainWindow::showSandbox);
        QObject::connect(&window, &MainWindow::windowSettingsChanged, &theme, [&theme](const WindowSettings& changed) {
            Theme::setTerminalDark(changed.darkTerminals);
            TerminalChoices::instance().take(changed);
            theme.apply(changed.theme);
        });
        window.setStaysInTray([&tray] { return tray.isShown(); });
        QObject::connect(&single, &SingleWindow::asked, &window, [&window](bool newSandbox, const QString& folder) {
            grant(window, {newSandbox, folder, true});
        });
        client.ensureEngine();
        window.show();
        if (wish.newSandbox) {
            // The dialog asks the engine for agents and acceleration, so it waits for the greeting.
            auto once = std::make_shared<QMetaObject::Connection>();
            *once = QObject::connect(&client, &api::Client::resynchronised, &window, [&window, wish, once] {
                QObject::disconnect(*once);
                window.openNewSandbox(wish.folder);
            });
        }
        status = QApplication::exec();
    });
    return status;
}

} // namespace coldframe::ui
