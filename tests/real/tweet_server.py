#!/usr/bin/env python3
"""Answers like the streaming service of Twitter, in plain HTTP: tweet_server.py PORT COUNT. Each GET of ..sample.json gets the same COUNT tweets,
a line each, and then nothing more; the connection stays."""

import http.server
import json
import sys
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for number in range(int(sys.argv[2])):
            line = json.dumps(tweet(number)).encode() + b"\r\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
        self.wfile.flush()
        threading.Event().wait()

    def log_message(self, *_):
        pass


def tweet(number):
    user = {"id": 7, "id_str": "7", "name": "Some One", "screen_name": "someone", "location": "", "description": "of the test",
            "protected": False, "followers_count": 3, "friends_count": 4, "listed_count": 5, "favourites_count": 6, "statuses_count": number,
            "created_at": "Wed Aug 29 17:12:58 +0000 2012", "lang": "en", "geo_enabled": False, "verified": False}
    return {"created_at": "Wed Aug 29 17:12:58 +0000 2012", "id": 1000 + number, "id_str": str(1000 + number), "text": f"tweet-{number} äöü",
            "source": "<a href='http://example.com'>test</a>", "truncated": False, "retweet_count": 0, "favorite_count": 0, "favorited": False,
            "retweeted": False, "lang": "en", "entities": {"hashtags": [], "urls": [], "user_mentions": [], "symbols": []}, "user": user}


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
