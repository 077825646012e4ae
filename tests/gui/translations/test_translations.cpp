// SPDX-License-Identifier: Apache-2.0
#include "ui/translations.h"

#include <QCoreApplication>
#include <QDir>
#include <QFile>
#include <QRegularExpression>
#include <QTest>
#include <QXmlStreamReader>

using namespace coldframe::ui;

namespace {

struct Message
{
    QString source;
    QString translation;
    bool finished = true;
};

QList<Message> messagesOf(const QString& path)
{
    QFile file(path);
    QList<Message> messages;
    if (!file.open(QIODevice::ReadOnly)) {
        return messages;
    }
    QXmlStreamReader xml(&file);
    while (!xml.atEnd()) {
        xml.readNext();
        if (!xml.isStartElement()) {
            continue;
        }
        if (xml.name() == QStringLiteral("source")) {
            messages.append({xml.readElementText(), {}, true});
        } else if (xml.name() == QStringLiteral("translation") && !messages.isEmpty()) {
            messages.last().finished = !xml.attributes().hasAttribute(QStringLiteral("type"));
            const Message source = messages.last();
            // Where it depends on a number there is a form for each case: all are looked at like messages of their own.
            bool isFirst = true;
            while (!xml.atEnd() && xml.readNext() != QXmlStreamReader::EndElement) {
                if (xml.isCharacters()) {
                    messages.last().translation += xml.text();
                } else if (xml.isStartElement()) {
                    if (!isFirst) {
                        messages.append(source);
                    }
                    isFirst = false;
                    messages.last().translation = xml.readElementText();
                }
            }
            messages.last().translation = messages.last().translation.trimmed().isEmpty() ? QString() : messages.last().translation;
        }
    }
    return xml.hasError() ? QList<Message>() : messages;
}

/// What the code puts in, sorted: "%1", "%2".
QStringList placesOf(const QString& text)
{
    static const QRegularExpression place(QStringLiteral("%[0-9n]"));
    QStringList places;
    for (auto match = place.globalMatch(text); match.hasNext();) {
        places.append(match.next().captured());
    }
    places.sort();
    return places;
}

/// The one accelerator of a menu entry; "&&" is an ampersand.
qsizetype acceleratorsOf(QString text)
{
    text.remove(QStringLiteral("&&"));
    return text.count(QLatin1Char('&'));
}

} // namespace

class TestTranslations : public QObject
{
    Q_OBJECT

private slots:
    void translationsHaveThePlacesOfTheirSource_data()
    {
        QTest::addColumn<QString>("path");
        const QDir folder(QStringLiteral(COLDFRAME_TRANSLATION_SOURCES));
        const QStringList files = folder.entryList({QStringLiteral("*.ts")});
        QVERIFY(!files.isEmpty());
        for (const QString& file : files) {
            QTest::newRow(qPrintable(file)) << folder.filePath(file);
        }
    }
    void translationsHaveThePlacesOfTheirSource()
    {
        QFETCH(QString, path);
        const QList<Message> messages = messagesOf(path);
        QVERIFY(messages.size() > 100);
        for (const Message& message : messages) {
            if (!message.finished) {
                continue;
            }
            const QByteArray about = message.source.toUtf8();
            QVERIFY2(!message.translation.isEmpty(), about.constData());
            QVERIFY2(placesOf(message.translation) == placesOf(message.source), about.constData());
            QVERIFY2(acceleratorsOf(message.translation) == acceleratorsOf(message.source), about.constData());
        }
    }

    void theWindowSpeaksTheLanguageOfTheLocale()
    {
        const auto text = [] { return QCoreApplication::translate("coldframe::ui::MainWindow", "New Sandbox…"); };
        const auto state = [] { return QCoreApplication::translate("Sandbox", "running"); };
        QCOMPARE(text(), QStringLiteral("New Sandbox…"));
        QVERIFY(!installTranslations(*QCoreApplication::instance(), QLocale(QStringLiteral("en_GB"))));
        QCOMPARE(text(), QStringLiteral("New Sandbox…"));
        if (!QFile::exists(QStringLiteral(":/translations/coldframe_de.qm"))) {
            QSKIP("built without lrelease");
        }
        QVERIFY(installTranslations(*QCoreApplication::instance(), QLocale(QStringLiteral("de_AT"))));
        QCOMPARE(text(), QStringLiteral("Neue Sandbox …"));
        QCOMPARE(state(), QStringLiteral("läuft"));
    }
};

QTEST_GUILESS_MAIN(TestTranslations)
#include "test_translations.moc"
