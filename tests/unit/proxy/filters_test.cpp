// SPDX-License-Identifier: Apache-2.0
// What looks for keys in replies: every form, every cut, every compression.
#include "proxy/reply_filter.h"

#include <QtTest>
#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

using namespace coldframe;
using namespace coldframe::proxy;

namespace {

const std::string kKey = "sk-real/9876543210+zyxwvutsrqponm";

std::shared_ptr<const PatternSet> patterns()
{
    auto set = std::make_shared<PatternSet>();
    set->addKeyForms(kKey, 3);
    set->finish();
    return set;
}

std::string deflated(const std::string& text, int windowBits)
{
    z_stream stream{};
    deflateInit2(&stream, 6, Z_DEFLATED, windowBits, 8, Z_DEFAULT_STRATEGY);
    std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
    stream.avail_in = static_cast<uInt>(text.size());
    stream.next_out = reinterpret_cast<Bytef*>(out.data());
    stream.avail_out = static_cast<uInt>(out.size());
    deflate(&stream, Z_FINISH);
    out.resize(out.size() - stream.avail_out);
    deflateEnd(&stream);
    return out;
}

std::string encoded(const std::string& coding, const std::string& text)
{
    if (coding == "gzip") {
        return deflated(text, 15 + 16);
    }
    if (coding == "deflate") {
        return deflated(text, 15);
    }
    if (coding == "raw deflate") {
        return deflated(text, -15);
    }
    if (coding == "zstd") {
        std::string out(ZSTD_compressBound(text.size()), '\0');
        out.resize(ZSTD_compress(out.data(), out.size(), text.data(), text.size(), 3));
        return out;
    }
    if (coding == "br") {
        std::size_t size = BrotliEncoderMaxCompressedSize(text.size()) + 64;
        std::string out(size, '\0');
        BrotliEncoderCompress(5, 22, BROTLI_MODE_GENERIC, text.size(), reinterpret_cast<const std::uint8_t*>(text.data()), &size,
                              reinterpret_cast<std::uint8_t*>(out.data()));
        out.resize(size);
        return out;
    }
    return text;
}

/// Noise that compresses badly, so that a key lies across many pieces of the compressed form.
std::string noise(std::size_t size)
{
    std::string text;
    std::uint32_t state = 12345;
    while (text.size() < size) {
        state = state * 1664525u + 1013904223u;
        text.push_back(static_cast<char>('!' + (state >> 24) % 90));
    }
    return text;
}

struct Run
{
    std::string out;
    int tag = -1;
    bool cut = false;
    std::string problem;
};

Run runFilter(ReplyFilter& filter, const std::string& data, std::size_t piece)
{
    Run run;
    const auto take = [&run](const ReplyFilter::Outcome& outcome) {
        run.tag = outcome.keyTag >= 0 ? outcome.keyTag : run.tag;
        run.cut = outcome.cut;
        run.problem = outcome.problem.empty() ? run.problem : outcome.problem;
    };
    for (std::size_t at = 0; at < data.size() && !run.cut; at += piece) {
        take(filter.feed(std::string_view(data).substr(at, piece), run.out));
    }
    if (!run.cut) {
        take(filter.finish(run.out));
    }
    return run;
}

} // namespace

class FiltersTest : public QObject
{
    Q_OBJECT

private slots:
    // D.3 pitfall 13: the key in each form, cut into pieces of each size, plain.
    void pitfall_13_everyFormIsOverwritten_data()
    {
        QTest::addColumn<QByteArray>("form");
        QTest::addColumn<bool>("found");
        const auto row = [](const char* name, const std::string& form, bool found = true) {
            QTest::newRow(name) << QByteArray::fromStdString(form) << found;
        };
        row("as it is", kKey);
        row("base64, first alignment", base64Encode("abc" + kKey + "x"));
        row("base64, second", base64Encode("abcd" + kKey + "xy"));
        row("base64, third", base64Encode("abcde" + kKey + "xyz"));
        row("percent-encoded", "sk-real%2F9876543210%2Bzyxwvutsrqponm");
        row("percent-encoded, small digits", "sk-real%2f9876543210%2bzyxwvutsrqponm");
        row("control: another key", "sk-real/9876543210+zyxwvutsrqponX", false);
    }
    void pitfall_13_everyFormIsOverwritten()
    {
        QFETCH(QByteArray, form);
        QFETCH(bool, found);
        const std::string body = noise(300) + form.toStdString() + noise(300);
        for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}, body.size()}) {
            ReplyFilter filter(patterns(), "", true);
            const Run run = runFilter(filter, body, piece);
            QCOMPARE(run.tag, found ? 3 : -1);
            QVERIFY(!run.cut);
            QCOMPARE(run.out.size(), body.size());
            QCOMPARE(run.out == body, !found);
            QCOMPARE(run.out.substr(0, 290), body.substr(0, 290));
            QCOMPARE(run.out.substr(run.out.size() - 290), body.substr(body.size() - 290));
            if (found) {
                QVERIFY(run.out.find(form.toStdString().substr(8, 24)) == std::string::npos);
            }
        }
    }

    void pitfall_13_aKeyInACompressedReplyCutsIt_data()
    {
        QTest::addColumn<QString>("coding");
        for (const char* coding : {"gzip", "deflate", "raw deflate", "br", "zstd"}) {
            QTest::newRow(coding) << QString(coding);
        }
    }
    void pitfall_13_aKeyInACompressedReplyCutsIt()
    {
        QFETCH(QString, coding);
        const std::string name = coding.toStdString();
        const std::string header = name == "raw deflate" ? "deflate" : name;
        for (const std::string& form : {kKey, base64Encode("abcd" + kKey), std::string(kKey.size(), 'q')}) {
            const bool leaks = form[0] != 'q';
            const std::string packed = encoded(name, noise(5000) + form + noise(5000));
            for (const std::size_t piece : {std::size_t{1}, std::size_t{100}, packed.size()}) {
                ReplyFilter filter(patterns(), header, true);
                QVERIFY(filter.canRead());
                const Run run = runFilter(filter, packed, piece);
                QCOMPARE(run.cut, leaks);
                QCOMPARE(run.tag, leaks ? 3 : -1);
                QCOMPARE(run.out == packed, !leaks);
                QVERIFY(run.problem.empty());
            }
        }
        ReplyFilter broken(patterns(), header, true);
        const Run run = runFilter(broken, "plainly no such coding: " + kKey, 10);
        QVERIFY(run.cut && run.out.find(kKey.substr(8)) == std::string::npos);
        ReplyFilter elsewhere(patterns(), header, false); // no key went there: passed on as it is
        QCOMPARE(runFilter(elsewhere, "no such coding", 10).out, std::string("no such coding"));
    }

    void unknownCompressionIsSaid()
    {
        QVERIFY(!ReplyFilter(patterns(), "compress", true).canRead());
        QVERIFY(!ReplyFilter(patterns(), "gzip, br", true).canRead());
        QVERIFY(ReplyFilter(patterns(), "compress", false).canRead());
        QVERIFY(ReplyFilter(patterns(), "identity", true).canRead());
        QVERIFY(ReplyFilter(std::make_shared<PatternSet>(), "compress", true).canRead());
    }

    // D.3 pitfall 19: what grows without measure is cut, and soon.
    void pitfall_19_bombsAreCut_data()
    {
        QTest::addColumn<QString>("coding");
        for (const char* coding : {"gzip", "br", "zstd"}) {
            QTest::newRow(coding) << QString(coding);
        }
    }
    void pitfall_19_bombsAreCut()
    {
        QFETCH(QString, coding);
        const std::string packed = encoded(coding.toStdString(), std::string(90u << 20, '\0'));
        ReplyFilter filter(patterns(), coding.toStdString(), true);
        const Run run = runFilter(filter, packed, 16384);
        QVERIFY(run.cut);
        QVERIFY(!run.problem.empty());
        ReplyFilter fine(patterns(), coding.toStdString(), true);
        QVERIFY(!runFilter(fine, encoded(coding.toStdString(), std::string(1u << 20, '\0')), 16384).cut);
    }

    // What is held back shows what a key begins with to whoever sends the stream and sees it arrive.
    void nothingIsHeldBackForStrangers()
    {
        const std::string guess = "data: " + kKey.substr(0, 12);
        std::string strict;
        std::string stranger;
        StreamScanner(patterns(), StreamScanner::OnMatch::Redact, true).feed(guess, strict);
        StreamScanner(patterns(), StreamScanner::OnMatch::Redact, false).feed(guess, stranger);
        QVERIFY(strict.size() < guess.size()); // control
        QCOMPARE(stranger, guess);
        StreamScanner whole(patterns(), StreamScanner::OnMatch::Stop, false);
        std::string out;
        int tag = -1;
        for (const char c : kKey) {
            QCOMPARE(tag, -1);
            tag = whole.feed(std::string(1, c), out);
        }
        QCOMPARE(tag, 3);
    }
};

QTEST_GUILESS_MAIN(FiltersTest)
#include "filters_test.moc"
