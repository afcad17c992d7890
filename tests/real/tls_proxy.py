#!/usr/bin/env python3
"""A proxy with TLS and a login in front of a server of HTTP that has neither.

  tls_proxy.py PORT TO_PORT FOLDER

It listens on 127.0.0.1:PORT with FOLDER/server.pem (certificate and key), and forwards requests to 127.0.0.1:TO_PORT if their header Authorization
is the text of FOLDER/login; others get 401. Both files are read again for each connection and request. When the certificate is another one, old
connections are closed at their next request, which is not forwarded."""
import http.client
import http.server
import os
import ssl
import sys

PORT, TO_PORT, FOLDER = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
CERTIFICATE = os.path.join(FOLDER, "server.pem")


def certificate_id():
    facts = os.stat(CERTIFICATE)
    return facts.st_ino, facts.st_mtime_ns


class Request(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        self.certificate = certificate_id()
        super().setup()

    def log_message(self, *_):
        pass

    def respond(self, status, headers, body):
        self.send_response(status)
        for name, value in headers:
            if name.lower() not in ("transfer-encoding", "connection", "content-length", "date", "server"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if certificate_id() != self.certificate:
            self.close_connection = True
            return
        with open(os.path.join(FOLDER, "login"), encoding="ascii") as file:
            login = file.read().strip()
        if self.headers.get("Authorization") != login:
            self.respond(401, [("WWW-Authenticate", 'Basic realm="store"'), ("Content-Type", "application/json")],
                         b'{"error":{"type":"security_exception","reason":"unable to authenticate","msg":"unable to authenticate"},"status":401}')
            return
        server = http.client.HTTPConnection("127.0.0.1", TO_PORT, timeout=120)
        try:
            headers = {name: value for name, value in self.headers.items() if name.lower() not in ("host", "connection", "authorization", "content-length")}
            server.request(self.command, self.path, body or None, headers)
            answer = server.getresponse()
            self.respond(answer.status, answer.getheaders(), answer.read())
        except OSError:
            self.respond(502, [], b"")
        finally:
            server.close()

    do_GET = do_HEAD = do_POST = do_PUT = forward


class Proxy(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE)
        try:
            with context.wrap_socket(request, server_side=True) as connection:
                super().finish_request(connection, client_address)
        except OSError:
            pass  # the client does not trust the certificate, or is gone


Proxy(("127.0.0.1", PORT), Request).serve_forever()
