// SPDX-License-Identifier: Apache-2.0
#include "ui/terminal/terminal_widget.h"

#include <QApplication>
#include <QElapsedTimer>
#include <QKeyEvent>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <vector>

using coldframe::ui::TerminalWidget;

namespace {

QByteArray log()
{
    QByteArray text;
    for (int i = 0; text.size() < 60 * 1024; ++i) {
        text += "\x1b[32m[ " + QByteArray::number(i % 100) + "%]\x1b[0m Building CXX object \x1b[1msrc/part" + QByteArray::number(i) +
                ".cpp.o\x1b[0m \x1b[33mwarning:\x1b[0m unused variable \xe2\x80\x98x\xe2\x80\x99\r\n";
    }
    return text;
}

/// Notes when the view was painted, and how long after the echo was fed.
class Watch : public QObject
{
public:
    explicit Watch(TerminalWidget& watched) : view(watched) { view.viewport()->installEventFilter(this); }

    TerminalWidget& view;
    QElapsedTimer clock;
    int paints = 0;
    qint64 fedAt = -1;
    qint64 echoAt = 0; ///< which of the bytes fed the echo is
    qint64 fed = 0;    ///< bytes, all
    std::vector<double> latencies;

protected:
    bool eventFilter(QObject* object, QEvent* event) override
    {
        if (event->type() == QEvent::Paint && object == view.viewport()) {
            // The paint itself is part of the wait.
            view.viewport()->removeEventFilter(this);
            QCoreApplication::sendEvent(object, event);
            view.viewport()->installEventFilter(this);
            ++paints;
            if (fedAt >= 0 && fed - view.queuedBytes() >= echoAt) {
                latencies.push_back(static_cast<double>(clock.nsecsElapsed() - fedAt) / 1e6);
                fedAt = -1;
            }
            return true;
        }
        return false;
    }
};

} // namespace

/// A flood of coloured log lines at the speed that the widget takes them, with a key and its echo now and then.
int main(int argc, char** argv)
{
    QApplication application(argc, argv);
    const int seconds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 1;
    for (const QSize& size : {QSize(24, 80), QSize(60, 200)}) {
        TerminalWidget view;
        view.setFixedGrid(size.width(), size.height());
        view.resize(view.cellRect(0, size.height()).right() + 40, view.cellRect(size.width(), 0).bottom() + 10);
        view.show();
        Watch watch(view);
        const QByteArray text = log();
        bool mayFeed = true;
        QObject::connect(&view, &TerminalWidget::backlogged, [&](bool is) { mayFeed = !is; });
        QElapsedTimer clock;
        clock.start();
        watch.clock.start();
        qint64 bytes = 0;
        qint64 nextKey = 100'000'000;
        const quint64 frames = view.framesPainted();
        // As the engine's socket would: what it has, as soon as it may, 64 KiB at a time.
        while (clock.nsecsElapsed() < seconds * 1'000'000'000LL) {
            if (mayFeed) {
                watch.fed += text.size();
                view.feed(text);
                bytes += text.size();
            }
            if (watch.fedAt < 0 && clock.nsecsElapsed() > nextKey) {
                QKeyEvent key(QEvent::KeyPress, Qt::Key_A, Qt::NoModifier, QStringLiteral("a"));
                QCoreApplication::sendEvent(&view, &key);
                watch.fedAt = watch.clock.nsecsElapsed();
                watch.echoAt = ++watch.fed;
                view.feed("a");
                nextKey = clock.nsecsElapsed() + 37'000'000;
            }
            QCoreApplication::processEvents();
        }
        const double spent = static_cast<double>(clock.nsecsElapsed()) / 1e9;
        std::sort(watch.latencies.begin(), watch.latencies.end());
        const auto at = [&](double part) {
            return watch.latencies.empty() ? 0.0 : watch.latencies[static_cast<std::size_t>(part * static_cast<double>(watch.latencies.size() - 1))];
        };
        std::printf("%dx%d under flood: %.1f frames/s (the cap is 60), %.1f MB/s of log; echo painted after %.1f ms (median), %.1f ms (95 %%), "
                    "%.1f ms (worst) of %zu; the goal is 8 ms, a frame is 16.7 ms\n",
                    size.height(), size.width(), static_cast<double>(view.framesPainted() - frames) / spent, static_cast<double>(bytes) / 1e6 / spent, at(0.5), at(0.95),
                    at(1), watch.latencies.size());
        if (watch.paints == 0 || watch.latencies.empty()) {
            std::fprintf(stderr, "nothing was painted\n");
            return 1;
        }
    }
    return 0;
}
