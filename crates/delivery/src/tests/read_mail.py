"""Reads a message from standard input with Python's email package and prints what it found as JSON."""

import base64
import email
import email.header
import email.policy
import email.utils
import json
import sys

raw = sys.stdin.buffer.read()
message = email.message_from_bytes(raw, policy=email.policy.default)


def mailbox(name):
    # Header by header: the newer interface keeps the spaces between the pieces of a long name.
    shown, address = email.utils.parseaddr(str(email.message_from_bytes(raw)[name]).replace("\r\n", ""))
    return [[str(email.header.make_header(email.header.decode_header(shown))), address]]


def tree(part):
    if part.is_multipart():
        return {part.get_content_type(): [tree(p) for p in part.iter_parts()]}
    return part.get_content_type()


def described(part):
    content = part.get_payload(decode=True)
    return {
        "type": part.get_content_type(),
        "charset": part.get_content_charset(),
        "disposition": part.get_content_disposition(),
        "name": part.get_filename(),
        "cid": part["Content-ID"],
        "encoding": part["Content-Transfer-Encoding"],
        "bytes": len(content),
        "content": base64.b64encode(content).decode(),
    }


lines = raw.split(b"\r\n")
print(json.dumps({
    "headers": [[name, str(value)] for name, value in message.items()],
    "from": mailbox("From"),
    "to": mailbox("To"),
    "date": message["Date"].datetime.isoformat(),
    "tree": tree(message),
    "parts": [described(p) for p in message.walk() if not p.is_multipart()],
    "defects": [str(d) for p in message.walk() for d in p.defects]
        + [f"{n}: {d}" for n, v in message.items() for d in v.defects],
    "longest_line": max(len(line) for line in lines),
    "ascii": raw.isascii(),
    "bare_line_ends": any(b"\n" in line or b"\r" in line for line in lines),
    "related_type": [p.get_param("type") for p in message.walk() if p.get_content_type() == "multipart/related"],
}))
