// SPDX-License-Identifier: Apache-2.0
// Java's own HTTP client inside: java Client.java KEYED-HOST WEBSOCKET-HOST [HOST-WITHOUT-TLS]. Prints "ok" as its last line. What it asks for: python_clients.py.
import java.io.*;
import java.net.*;
import java.net.http.*;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.concurrent.*;

public class Client {
    static void check(boolean condition, Object detail) {
        if (!condition) {
            throw new AssertionError(detail);
        }
    }

    public static void main(String[] arguments) throws Exception {
        String origin = "https://" + arguments[0];
        byte[] whole = new byte[1 << 20];
        java.util.Arrays.fill(whole, (byte) 'j');
        for (HttpClient.Version version : HttpClient.Version.values()) {
            HttpClient client = HttpClient.newBuilder().version(version).connectTimeout(Duration.ofSeconds(60)).build();
            HttpResponse<String> hello = client.send(HttpRequest.newBuilder(URI.create(origin + "/hello")).build(), HttpResponse.BodyHandlers.ofString());
            check(hello.version() == version && hello.body().contains("authorization"), hello);
            HttpRequest.BodyPublisher pieces = HttpRequest.BodyPublishers.ofInputStream(() -> new ByteArrayInputStream(whole));
            HttpResponse<byte[]> echo = client.send(HttpRequest.newBuilder(URI.create(origin + "/echo")).POST(pieces).build(), HttpResponse.BodyHandlers.ofByteArray());
            check(java.util.Arrays.equals(echo.body(), whole), echo);
            int[] events = {0};
            HttpResponse<InputStream> stream = client.send(HttpRequest.newBuilder(URI.create(origin + "/events")).build(), HttpResponse.BodyHandlers.ofInputStream());
            BufferedReader reader = new BufferedReader(new InputStreamReader(stream.body()));
            for (String line; (line = reader.readLine()) != null;) {
                if (line.startsWith("data: ") && ++events[0] < 3) {
                    client.send(HttpRequest.newBuilder(URI.create(origin + "/next")).build(), HttpResponse.BodyHandlers.ofString());
                }
            }
            check(events[0] == 3, events[0]);
        }
        HttpURLConnection old = (HttpURLConnection) new URL(origin + "/hello").openConnection();
        check(old.getResponseCode() == 200, old.getResponseCode());
        if (arguments.length > 2) { // it offers to change to HTTP/2
            HttpResponse<String> plain = HttpClient.newHttpClient().send(HttpRequest.newBuilder(URI.create("http://" + arguments[2] + "/")).build(), HttpResponse.BodyHandlers.ofString());
            check(plain.statusCode() == 200, plain);
        }
        BlockingQueue<String> messages = new LinkedBlockingQueue<>();
        WebSocket socket = HttpClient.newHttpClient().newWebSocketBuilder().buildAsync(URI.create("wss://" + arguments[1] + "/"), new WebSocket.Listener() {
            final StringBuilder text = new StringBuilder();

            public CompletionStage<?> onText(WebSocket from, CharSequence data, boolean last) {
                text.append(data);
                if (last) {
                    messages.add(text.toString());
                    text.setLength(0);
                }
                from.request(1);
                return null;
            }
        }).get(60, TimeUnit.SECONDS);
        check(messages.poll(60, TimeUnit.SECONDS) != null, "no first message");
        String large = "w".repeat(200000);
        socket.sendText(large, true).get(60, TimeUnit.SECONDS);
        check(large.equals(messages.poll(60, TimeUnit.SECONDS)), "no echo");
        socket.sendClose(1000, "").get(60, TimeUnit.SECONDS);
        System.out.println("ok " + System.getProperty("java.version"));
        System.exit(0);
    }
}
