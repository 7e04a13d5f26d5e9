"""An SMTP server for tests: `smtp_server.py FOLDER OPTION...`. Prints its port, ends with its standard input.

Options: `starttls`, `tls` (from the first byte), `expired`, `wrong-name` (its certificate); `login` (PLAIN and LOGIN, required),
`xoauth2` (required; tokens are the lines of FOLDER/tokens), `ascii` (no SMTPUTF8), `two-a-connection` (closes it at the third message),
`injected` (an answer arrives before the encryption; with `twice` two).

What becomes of a message is decided by the recipient's name, before a `+` or `@`: refused, later, relay, data-refused,
data-later, hang-recipient, hang-data, close-recipient, close-data. Messages taken are FOLDER/N.eml and N.envelope.
"""

import asyncio
import base64
import datetime
import ipaddress
import json
import logging
import pathlib
import ssl
import sys
import threading
import warnings

from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

# What it says of clients that break off does not matter in a test.
logging.disable()
warnings.simplefilter("ignore")
folder, options = pathlib.Path(sys.argv[1]), set(sys.argv[2:])
USER, PASSWORD = "reports", "Pa55 wört+/="


def certificate(subject, issuer, key, issuer_key, days, names, authority):
    begin = datetime.datetime.now(datetime.timezone.utc) - datetime.timedelta(days=30)
    builder = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30 + days))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def tls_context():
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate("perennial tests", "perennial tests", authority_key, authority_key, 30, [], True)
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    if "wrong-name" in options:
        names = [x509.DNSName("mail.example.org")]
    days = -1 if "expired" in options else 30
    own = certificate("localhost", "perennial tests", key, authority_key, days, names, False)
    pem = serialization.Encoding.PEM
    (folder / "ca.pem").write_bytes(authority.public_bytes(pem))
    (folder / "server.pem").write_bytes(own.public_bytes(pem))
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (folder / "server.key").write_bytes(private)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem", folder / "server.key")
    return context


class Handler:
    def __init__(self):
        self.count = 0

    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        if "login" in options:
            return [line.replace(" XOAUTH2", "") for line in responses]
        if "xoauth2" in options:
            return [line.replace(" LOGIN PLAIN", "") for line in responses]
        return [line for line in responses if "AUTH" not in line]

    async def handle_MAIL(self, server, session, envelope, address, mail_options):
        session.messages = getattr(session, "messages", 0) + 1
        if "two-a-connection" in options and session.messages > 2:
            return "421 4.7.0 too many messages in this connection"
        envelope.mail_from = address
        envelope.mail_options.extend(mail_options)
        return "250 2.1.0 OK"

    async def handle_RCPT(self, server, session, envelope, address, rcpt_options):
        name = address.split("@")[0].split("+")[0]
        if name == "hang-recipient":
            await asyncio.sleep(3600)
        if name == "close-recipient":
            server.transport.abort()
            await asyncio.sleep(3600)
        answers = {
            "refused": "550 5.1.1 <%s>: no such mailbox" % address,
            "later": "451 4.7.1 greylisted, try again later",
            "relay": "554 5.7.1 <%s>: Relay access denied" % address,
        }
        if name in answers:
            return answers[name]
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        name = envelope.rcpt_tos[0].split("@")[0].split("+")[0]
        if name == "hang-data":
            await asyncio.sleep(3600)
        if name == "close-data":
            server.transport.abort()
            await asyncio.sleep(3600)
        if name == "data-refused":
            return "554 5.7.1 message refused by policy"
        if name == "data-later":
            return "452 4.3.1 insufficient system storage"
        self.count += 1
        tls = session.ssl is not None or "tls" in options
        user = session.auth_data if session.authenticated else None
        lines = [
            "from " + envelope.mail_from,
            "to " + " ".join(envelope.rcpt_tos),
            "options " + " ".join(envelope.mail_options),
            "hello " + session.host_name,
            "tls " + ("yes" if tls else "no"),
            "user " + (user or ""),
            "peer " + str(session.peer[1]),
        ]
        (folder / f"{self.count}.eml").write_bytes(envelope.original_content)
        (folder / f"{self.count}.envelope").write_text("\n".join(lines) + "\n")
        return f"250 2.0.0 Ok: queued as {self.count:04X}"

    async def auth_XOAUTH2(self, server, args):
        fields = dict(f.split("=", 1) for f in base64.b64decode(args[1]).decode().split("\x01") if f)
        tokens = (folder / "tokens").read_text().split() if (folder / "tokens").exists() else []
        if fields["user"] == USER and fields["auth"].removeprefix("Bearer ") in tokens:
            return AuthResult(success=True, auth_data=fields["user"])
        reason = json.dumps({"status": "400", "schemes": "Bearer"})
        await server.push("334 " + base64.b64encode(reason.encode()).decode())
        await server._reader.readline()
        return AuthResult(success=False, handled=False, message="535 5.7.3 Authentication unsuccessful")


def authenticate(server, session, envelope, mechanism, data):
    user, password = data.login.decode(), data.password.decode()
    if user == "exchange":
        return AuthResult(success=False, handled=False, message="550 5.7.30 Basic authentication is not supported")
    if (user, password) == (USER, PASSWORD):
        return AuthResult(success=True, auth_data=user)
    said = f"535 5.7.8 bad credentials: {password} {base64.b64encode(data.password).decode()}"
    return AuthResult(success=False, handled=False, message=said)


async def serve():
    context = tls_context() if options & {"tls", "starttls"} else None
    handler = Handler()
    loop = asyncio.get_running_loop()

    def factory():
        return SMTP(
            handler,
            hostname="mail.test",
            tls_context=context if "starttls" in options else None,
            auth_require_tls=False,
            auth_required=bool(options & {"login", "xoauth2"}),
            authenticator=authenticate,
            enable_SMTPUTF8="ascii" not in options,
            data_size_limit=50_000_000,
            loop=loop,
        )

    wrapped = context if "tls" in options else None
    server = await loop.create_server(factory, "127.0.0.1", 0, ssl=wrapped)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


def serve_injected():
    """A server before which somebody puts an answer into the unencrypted part."""
    import socket

    context = tls_context()
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)

    def talk():
        while True:
            plain, _ = listener.accept()
            plain.sendall(b"220 mail.test\r\n")
            plain.recv(1000)
            plain.sendall(b"250-mail.test\r\n250 STARTTLS\r\n")
            plain.recv(1000)
            count = 2 if "twice" in options else 1
            plain.sendall(b"220 go\r\n" + b"250 injected\r\n" * count)
            try:
                secure = context.wrap_socket(plain, server_side=True)
                while line := secure.recv(1000):
                    hello = line.startswith(b"EHLO")
                    secure.sendall(b"250-mail.test\r\n250 8BITMIME\r\n" if hello else b"250 OK\r\n")
            except OSError:
                pass

    threading.Thread(target=talk, daemon=True).start()
    sys.stdin.read()


if "injected" in options:
    options.add("starttls")
    serve_injected()
else:
    asyncio.run(serve())
