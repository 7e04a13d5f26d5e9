"""A service with all the habits of services: it pages, limits, fails, hangs, redirects and wants a token."""
import json
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

LOG = []
TRIES = {}
TICKETS = [{"id": i, "status": "solved", "updated_at": 100 + i, "satisfaction": {"score": "good"}} for i in range(5)]
MOST_ROWS = 7


class Service(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def do_GET(self):
        url = urlsplit(self.path)
        self.query = {name: values[-1] for name, values in parse_qs(url.query, keep_blank_values=True).items()}
        LOG.append({"at": time.monotonic(), "url": self.path, "headers": dict(self.headers.items())})
        self.tries = TRIES[self.path] = TRIES.get(self.path, 0) + 1
        getattr(self, "on_" + url.path.strip("/").split("/")[0], self.unknown)()

    def say(self, value, status=200, headers=(), cut=None):
        body = value if isinstance(value, bytes) else json.dumps(value, ensure_ascii=False, indent=1).encode()
        self.send_response(status)
        for name, text in headers:
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body if cut is None else body[:cut])
        if cut is not None:
            self.wfile.flush()
            self.close_connection = True

    def unknown(self):
        self.say({"error": "no such thing"}, 404)

    def on_log(self):
        name = self.query["name"]
        self.say([entry for entry in LOG if name in entry["url"] and not entry["url"].startswith("/log")])

    def fails(self):
        """The first try of some pages fails, each in another way."""
        if self.query.get("flaky") is None or self.tries > 1:
            return False
        match sum(self.path.encode()) % 5:
            case 0:
                self.say({"error": "slow down"}, 429, [("Retry-After", "0")])
            case 1:
                self.say({"error": "oops"}, 500)
            case 2:
                self.say(list(range(1000)), cut=100)
            case 3:
                self.say(b"", 503, [("Retry-After", "0")])
            case _:
                return False
        return True

    def on_rows(self):
        if self.fails():
            return
        n, limit = int(self.query["n"]), min(int(self.query.get("limit", "5")), MOST_ROWS)
        kind = self.query["kind"]
        first = {
            "page": lambda: (int(self.query.get("page", "1")) - 1) * limit,
            "offset": lambda: int(self.query.get("offset", "0")),
            "none": lambda: 0,
        }.get(kind, lambda: int(self.query.get("after", "0")))()
        limit = n if kind == "none" else limit
        rows = [{"id": i, "amount": {"net": float(i) / 4}, "note": f"行 {i}\n"} for i in range(n)][first : first + limit]
        behind = first + len(rows)
        answer, headers = {"data": {"rows": rows}}, []
        if kind in ("cursor", "end", "more"):
            answer["meta"] = {"after": str(behind) if behind < n or kind != "cursor" else None}
            answer["end_of_stream"] = behind >= n
            answer["has_more"] = behind < n
        elif kind in ("header", "field") and behind < n:
            target = f"?n={n}&kind={kind}&limit={limit}&after={behind}&case={self.query.get('case')}"
            target += "&flaky" if "flaky" in self.query else ""
            answer["next"] = f"http://{self.headers['Host']}/rows{target}"
            headers = [("Link", f'</rows?first>; rel="first", <{target}>; rel="next"')] if kind == "header" else []
        self.say(answer, headers=headers)

    def on_tickets(self):
        """An incremental export: a moment first, then the token of the answer before."""
        if self.headers.get("Authorization") != "Bearer s3cret-token":
            return self.say({"error": f"bad token {self.headers.get('Authorization')}"}, 401)
        if "cursor" in self.query and "start_time" in self.query:
            return self.say({"error": "start_time and cursor exclude each other"}, 422)
        since = int(self.query["cursor"]) if "cursor" in self.query else int(self.query["start_time"])
        found = sorted((t for t in TICKETS if t["updated_at"] > since), key=lambda t: t["updated_at"])
        rows = found[:2]
        token = str(rows[-1]["updated_at"] if rows else since)
        self.say({"tickets": rows, "after_cursor": token, "end_of_stream": len(found) <= 2})

    def on_change(self):
        TICKETS[1] = dict(TICKETS[1], status="deleted", updated_at=200)
        TICKETS.append({"id": 5, "status": "new", "updated_at": 201, "satisfaction": None})
        self.say([])

    def on_secret(self):
        shown = self.headers.get("Authorization"), self.headers.get("X-Key")
        self.say({"error": f"not for {shown}"}, int(self.query["status"]))

    def on_broken(self):
        self.say({"error": "down"}, int(self.query["status"]), [("Retry-After", self.query["after"])] if "after" in self.query else [])

    def on_page(self):
        self.say(b"<html>Please log in</html>")

    def on_hang(self):
        time.sleep(60)

    def on_hangs(self):
        self.send_response(200)
        self.send_header("Content-Length", "1000")
        self.end_headers()
        self.wfile.write(b"[1,")
        self.wfile.flush()
        time.sleep(60)

    def on_same(self):
        self.say({"rows": [{"id": 1}], "after": "x", "next": self.path})

    def on_away(self):
        self.say({"rows": [], "next": "http://example.com/?token=1"})

    def on_moved(self):
        self.say(b"", 302, [("Location", self.query["to"])])

    def on_none(self):
        self.send_response(204)
        self.end_headers()


server = ThreadingHTTPServer(("127.0.0.1", 0), Service)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
