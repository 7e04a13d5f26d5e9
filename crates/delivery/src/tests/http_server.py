"""A web server for tests. It prints its port, keeps what it was asked in a folder (its first argument), and answers as the
path says: token endpoints, chats that check what they get, and failures.

The chats are checked field by field as their vendors describe them: Slack's Block Kit, Microsoft's Adaptive Cards for
Workflows, and the pages on custom robots of Feishu, DingTalk and WeCom.
"""

import base64
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import sys
import threading
import time
import urllib.parse

folder = pathlib.Path(FOLDER)
lock = threading.Lock()
count = 0


class Wrong(Exception):
    def __init__(self, text, code=1):
        super().__init__(text)
        self.code = code


def need(condition, text, code=1):
    if not condition:
        raise Wrong(text, code)


def only(value, keys):
    need(set(value) <= set(keys), f"unknown keys {sorted(set(value) - set(keys))}")


def plain_text(value, most):
    only(value, ["type", "text", "emoji"])
    need(value["type"] == "plain_text", "type of a text")
    need(1 <= len(value["text"]) <= most, f"a text has {len(value['text'])} characters of {most}")


def slack(body):
    only(body, ["text", "blocks"])
    need(body["text"], "no fallback text")
    need(1 <= len(body["blocks"]) <= 50, "number of blocks")
    for block in body["blocks"]:
        if block["type"] == "header":
            only(block, ["type", "text"])
            plain_text(block["text"], 150)
        elif block["type"] == "section":
            only(block, ["type", "text", "fields"])
            need("text" in block or "fields" in block, "a section is empty")
            if "text" in block:
                plain_text(block["text"], 3000)
            if "fields" in block:
                need(1 <= len(block["fields"]) <= 10, "number of fields")
                for field in block["fields"]:
                    plain_text(field, 2000)
        elif block["type"] == "actions":
            need(1 <= len(block["elements"]) <= 25, "number of elements")
            for button in block["elements"]:
                only(button, ["type", "text", "url"])
                need(button["type"] == "button", "not a button")
                plain_text(button["text"], 75)
                need(len(button["url"]) <= 3000, "long URL")
        else:
            raise Wrong("unknown block " + block["type"])


def teams(body, raw):
    need(len(raw) <= 28 * 1024, "larger than 28 KB")
    only(body, ["type", "attachments"])
    need(body["type"] == "message" and len(body["attachments"]) == 1, "not a message with one attachment")
    attachment = body["attachments"][0]
    only(attachment, ["contentType", "contentUrl", "content"])
    need(attachment["contentType"] == "application/vnd.microsoft.card.adaptive", "content type")
    need(attachment["contentUrl"] is None, "content URL")
    card = attachment["content"]
    only(card, ["$schema", "type", "version", "lang", "msteams", "body", "actions"])
    need(card["type"] == "AdaptiveCard" and card["version"] in ["1.2", "1.3", "1.4", "1.5"], "version")
    need(card["body"], "an empty card")
    for element in card["body"]:
        if element["type"] == "TextBlock":
            only(element, ["type", "text", "wrap", "size", "weight", "style", "color"])
            need(element["text"] and element["wrap"] is True, "a text without wrap")
            need(element.get("color", "Default") in ["Default", "Good", "Attention", "Warning", "Accent"], "colour")
            need(element.get("style", "default") in ["default", "heading"], "style")
        elif element["type"] == "FactSet":
            need(element["facts"], "no facts")
            for fact in element["facts"]:
                only(fact, ["title", "value"])
                need(isinstance(fact["title"], str) and isinstance(fact["value"], str), "a fact is not text")
        else:
            raise Wrong("unknown element " + element["type"])
    for action in card["actions"]:
        only(action, ["type", "title", "url"])
        need(action["type"] == "Action.OpenUrl" and action["url"].startswith("https://"), "action")


def feishu(body, raw, secret):
    need(len(raw) <= 20 * 1024, "larger than 20 KB", 9499)
    only(body, ["timestamp", "sign", "msg_type", "card"])
    if secret:
        need(abs(int(body["timestamp"]) - 1600000000) < 3600, "timestamp", 19021)
        key = f"{body['timestamp']}\n{secret}".encode()
        sign = base64.b64encode(hmac.new(key, b"", hashlib.sha256).digest()).decode()
        need(body.get("sign") == sign, "sign match fail or timestamp is not within one hour from current time", 19021)
    need(body["msg_type"] == "interactive", "msg_type", 9499)
    card = body["card"]
    only(card, ["config", "header", "elements"])

    def text(value):
        only(value, ["tag", "content"])
        need(value["tag"] == "plain_text" and value["content"], "text", 9499)

    text(card["header"]["title"])
    need(card["header"]["template"] in ["blue", "green", "red", "orange", "grey"], "template", 9499)
    for element in card["elements"]:
        if element["tag"] == "div":
            only(element, ["tag", "text", "fields"])
            if "text" in element:
                text(element["text"])
            for field in element.get("fields", []):
                need(isinstance(field["is_short"], bool), "is_short", 9499)
                text(field["text"])
        elif element["tag"] == "action":
            for action in element["actions"]:
                only(action, ["tag", "type", "text", "url"])
                need(action["tag"] == "button" and action["type"] in ["default", "primary", "danger"], "button", 9499)
                text(action["text"])
        else:
            raise Wrong("unknown tag " + element["tag"], 9499)


def dingtalk(body, raw, secret, query):
    need(query["access_token"], "no token", 300005)
    if secret:
        timestamp = query["timestamp"][0]
        need(len(timestamp) == 13, "timestamp in milliseconds", 310000)
        sign = hmac.new(secret.encode(), f"{timestamp}\n{secret}".encode(), hashlib.sha256).digest()
        need(query["sign"][0] == base64.b64encode(sign).decode(), "sign not match", 310000)
    only(body, ["msgtype", "markdown"])
    need(body["msgtype"] == "markdown", "msgtype", 400105)
    only(body["markdown"], ["title", "text"])
    need(body["markdown"]["title"] and len(body["markdown"]["text"].encode()) <= 20000, "text", 460101)


def wecom(body, query):
    need(query["key"], "invalid webhook url", 93000)
    only(body, ["msgtype", "markdown"])
    need(body["msgtype"] == "markdown", "msgtype", 40008)
    only(body["markdown"], ["content"])
    content = body["markdown"]["content"]
    need(content and len(content.encode()) <= 4096, f"content has {len(content.encode())} bytes", 45002)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_):
        pass

    def answer(self, status, text, headers=()):
        body = text if isinstance(text, bytes) else text.encode()
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        global count
        raw = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        url = urllib.parse.urlparse(self.path)
        query = urllib.parse.parse_qs(url.query)
        with lock:
            count += 1
            number = count
        kept = {"path": self.path, "headers": dict((k.lower(), v) for k, v in self.headers.items()), "body": raw.decode()}
        (folder / f"{number}.json.tmp").write_text(json.dumps(kept))
        os.rename(folder / f"{number}.json.tmp", folder / f"{number}.json")
        parts = [p for p in url.path.split("/") if p]
        kind = parts[0]
        if kind == "token":
            form = dict(urllib.parse.parse_qsl(raw.decode()))
            good = form.get("client_secret") == "cl1ent+s3cret/=" and form.get("grant_type") == "client_credentials"
            if self.headers["Content-Type"] != "application/x-www-form-urlencoded" or not good:
                said = {"error": "invalid_client", "error_description": "not " + form.get("client_secret", "")}
                return self.answer(401, json.dumps(said))
            seconds = parts[1] if len(parts) > 1 else "3599"
            token = {"token_type": "Bearer", "expires_in": int(seconds), "access_token": f"token-number-{number}"}
            return self.answer(200, json.dumps(token))
        if kind == "status":
            headers = [("Retry-After", parts[2])] if len(parts) > 2 else []
            return self.answer(int(parts[1]), f"said {self.path} and {raw[:10].decode()}", headers)
        if kind == "hang":
            time.sleep(3600)
        if kind == "close":
            self.close_connection = True
            return self.connection.close()
        if kind == "say":
            return self.answer(200, urllib.parse.unquote(parts[1]))
        secret = "s3cret" if "signed" in parts else None
        try:
            need(self.headers["Content-Type"] == "application/json; charset=utf-8", "content type", 9499)
            body = json.loads(raw)
            if kind == "slack":
                slack(body)
                return self.answer(200, "ok")
            if kind == "teams":
                teams(body, raw)
                return self.answer(202, "")
            if kind == "feishu":
                feishu(body, raw, secret)
                return self.answer(200, json.dumps({"code": 0, "data": {}, "msg": "success"}))
            if kind == "dingtalk":
                dingtalk(body, raw, secret, query)
            if kind == "wecom":
                wecom(body, query)
            if kind == "generic":
                return self.answer(204, "")
            return self.answer(200, json.dumps({"errcode": 0, "errmsg": "ok"}))
        except Wrong as wrong:
            if kind in ["slack", "teams"]:
                return self.answer(400, str(wrong))
            names = ("code", "msg") if kind == "feishu" else ("errcode", "errmsg")
            return self.answer(200, json.dumps({names[0]: wrong.code, names[1]: str(wrong)}))


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_address[1], flush=True)
sys.stdin.read()
os._exit(0)
