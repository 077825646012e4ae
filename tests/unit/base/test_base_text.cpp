// SPDX-License-Identifier: Apache-2.0
#include "base/percent_coding.h"
#include "base/utf8.h"

#include <QStringDecoder>
#include <QTest>

using namespace coldframe;

class TestBaseText : public QObject
{
    Q_OBJECT

private slots:
    void everyByteHasAnEscapeThatReadsBack()
    {
        for (int value = 0; value < 256; ++value) {
            std::string text = "x";
            appendPercentEscape(text, static_cast<unsigned char>(value));
            QCOMPARE(text.size(), std::size_t{4});
            QCOMPARE(percentEscapeAt(text, 1), std::optional<unsigned char>(static_cast<unsigned char>(value)));
        }
        QCOMPARE(percentEscapeAt("%aF", 0), std::optional<unsigned char>(0xAF));
    }

    void halfAnEscapeIsNone()
    {
        for (const std::string_view text : {"", "%", "%4", "%4g", "%g4", "4%1", "%-1"}) {
            for (std::size_t position = 0; position <= text.size(); ++position) {
                QVERIFY(!percentEscapeAt(text, position));
            }
        }
        QVERIFY(!percentEscapeAt("%41", 1));
        QVERIFY(!percentEscapeAt("%41", SIZE_MAX));
    }

    void sequencesAreThoseOfUtf8()
    {
        struct Case
        {
            std::string_view text;
            std::size_t length;
        };
        for (const auto& [text, length] : std::initializer_list<Case>{{"a", 1},
                                                                      {"\x7F", 1},
                                                                      {"ä", 2},
                                                                      {"€", 3},
                                                                      {"😀", 4},
                                                                      {"", 0},
                                                                      {"\x80", 0},
                                                                      {"\xC1\x80", 0},
                                                                      {"\xC2", 0},
                                                                      {"\xE0\x9F\xBF", 0},
                                                                      {"\xED\xA0\x80", 0},
                                                                      {"\xE2\x82", 0},
                                                                      {"\xF0\x8F\xBF\xBF", 0},
                                                                      {"\xF4\x90\x80\x80", 0},
                                                                      {"\xF5\x80\x80\x80", 0}}) {
            QCOMPARE(utf8SequenceLength(text), length);
        }
    }

    /// Qt's decoder is the peer: a whole sequence is what it takes without an error.
    void agreesWithAnotherDecoder()
    {
        for (unsigned first = 0x80; first < 0x100; ++first) {
            for (unsigned second = 0; second < 0x100; ++second) {
                const QByteArray bytes = QByteArray(1, static_cast<char>(first)) + QByteArray(1, static_cast<char>(second)) + "\x85\xBF";
                const std::size_t length = utf8SequenceLength({bytes.constData(), 4});
                std::size_t accepted = 0;
                for (std::size_t size = 1; size <= 4 && accepted == 0; ++size) {
                    QStringDecoder decoder(QStringDecoder::Utf8, QStringDecoder::Flag::Stateless);
                    const QString text = decoder(bytes.first(static_cast<qsizetype>(size)));
                    accepted = !decoder.hasError() && !text.isEmpty() ? size : 0;
                }
                QCOMPARE(length, accepted);
            }
        }
    }
};

QTEST_GUILESS_MAIN(TestBaseText)
#include "test_base_text.moc"
