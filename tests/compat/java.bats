#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0 OR MIT
# shellcheck disable=SC2154  # IP_x, LARGE_SUM: exported by compat_up
# Java: com.sun.net.httpserver (NIO, one dual-stack socket), java.net.http, plain sockets, datagram channels.

load lib.bash

setup_file() {
  compat_up
  cat >"$WORK/Server.java" <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.nio.*;
import java.nio.channels.*;
import java.nio.file.*;
import java.util.concurrent.Executors;
public class Server {
  public static void main(String[] args) throws Exception {
    HttpServer server = HttpServer.create(new InetSocketAddress(8080), 100);
    byte[] large = Files.readAllBytes(Path.of(args[0]));
    server.createContext("/who", x -> {
      byte[] text = x.getRemoteAddress().getAddress().getHostAddress().getBytes();
      x.sendResponseHeaders(200, text.length);
      x.getResponseBody().write(text);
      x.close();
    });
    server.createContext("/large", x -> {
      x.sendResponseHeaders(200, large.length);
      x.getResponseBody().write(large);
      x.close();
    });
    server.setExecutor(Executors.newFixedThreadPool(8));
    server.start();
    DatagramChannel udp = DatagramChannel.open().bind(new InetSocketAddress(8081));
    System.out.println("ready");
    ByteBuffer b = ByteBuffer.allocate(2000);
    while (true) {
      SocketAddress from = udp.receive(b.clear());
      udp.send(b.flip(), from);
    }
  }
}
JAVA
  cat >"$WORK/Client.java" <<'JAVA'
import java.net.*;
import java.net.http.*;
import java.nio.*;
import java.nio.channels.*;
import java.security.MessageDigest;
import java.util.*;
import java.util.concurrent.CompletableFuture;
public class Client {
  public static void main(String[] args) throws Exception {
    HttpClient client = HttpClient.newHttpClient();
    for (String host : args) {
      String base = "http://" + (host.contains(":") ? "[" + host + "]" : host) + ":8080";
      byte[] large = client.send(HttpRequest.newBuilder(URI.create(base + "/large")).build(),
          HttpResponse.BodyHandlers.ofByteArray()).body();
      System.out.println(HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(large)));
      List<CompletableFuture<HttpResponse<String>>> all = new ArrayList<>();
      for (int i = 0; i < 100; i++)
        all.add(client.sendAsync(HttpRequest.newBuilder(URI.create(base + "/who")).build(),
            HttpResponse.BodyHandlers.ofString()));
      Set<String> who = new HashSet<>();
      for (var one : all) who.add(one.get().body());
      System.out.println(who);
    }
    try { new Socket(args[0], 8079); } catch (ConnectException e) { System.out.println("refused"); }
    try (Socket s = new Socket()) {
      s.connect(new InetSocketAddress(args[0], 8080), 5000);
      s.setSoTimeout(100);
      try { s.getInputStream().read(); } catch (SocketTimeoutException e) { System.out.println("timed out"); }
    }
    DatagramChannel udp = DatagramChannel.open();
    udp.connect(new InetSocketAddress(args[0], 8081));
    udp.configureBlocking(false);
    Selector selector = Selector.open();
    udp.register(selector, SelectionKey.OP_READ);
    ByteBuffer b = ByteBuffer.allocate(2000);
    for (int i = 0; i < 20; i++) {  // datagrams may be lost
      udp.write(ByteBuffer.wrap("datagram".getBytes()));
      if (selector.select(1000) > 0) { udp.read(b); break; }
    }
    System.out.println(new String(b.array(), 0, b.position()));
  }
}
JAVA
}

@test "java Server.java and java Client.java" {
  claim openjdk-17-jdk-headless "java (httpserver)" server "com.sun.net.httpserver on a dual-stack socket, 8 threads, 8 MB, the client's address; a datagram channel"
  claim openjdk-17-jdk-headless "java (java.net.http)" client "HttpClient: 8 MB by SHA-256, 100 requests at once, over IPv4 and IPv6; plain sockets refused and timed out; a selector on a datagram channel"
  serve a java java "$WORK/Server.java" "$WORK/www/large"
  wait_for 60 grep -q ready "$WORK/java.log"
  run on b timeout 90 java "$WORK/Client.java" "$IP_a" "$IP6_a"
  [ "$output" = "$LARGE_SUM
[$IP_b]
$LARGE_SUM
[$(/usr/bin/python3 -c 'import ipaddress, sys; print(":".join("%x" % int(p, 16) for p in ipaddress.ip_address(sys.argv[1]).exploded.split(":")))' "$IP6_b")]
refused
timed out
datagram" ]
  off_the_host java
}
