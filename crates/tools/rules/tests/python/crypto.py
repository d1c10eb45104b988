import hashlib
import hmac
import os
import random
import secrets
import ssl

import bcrypt
import httpx
import jwt
import paramiko
import requests
from Crypto.Cipher import AES, ARC4, DES
from Crypto.PublicKey import RSA
from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from flask import Flask

app = Flask(__name__)


def store(password, user, form):
    # ruleid: assay.python.weak-password-hash
    digest = hashlib.md5(password.encode()).hexdigest()
    # ruleid: assay.python.weak-password-hash
    digest = hashlib.sha256((user.salt + password).encode("utf-8")).hexdigest()
    # ok: assay.python.weak-password-hash
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt())
    # ok: assay.python.weak-password-hash
    etag = hashlib.md5(form.body).hexdigest()
    # ok: assay.python.weak-password-hash
    prefix = hashlib.sha256(form.password_reset_page.encode()).hexdigest()


def login(user, form, password, password_confirm):
    # ok: assay.python.plaintext-password-comparison
    if password == password_confirm:
        pass
    # ok: assay.python.plaintext-password-comparison
    if form.password != form.password2:
        pass
    # ruleid: assay.python.plaintext-password-comparison
    if user.password == password:
        return True
    # ruleid: assay.python.plaintext-password-comparison
    return user["password"] == form["password"]


def generate_reset_token(n):
    # ruleid: assay.python.predictable-token
    return "".join(random.choice("abc") for _ in range(n))


def draw():
    # ruleid: assay.python.predictable-token
    otp = str(random.randint(100000, 999999))
    # ok: assay.python.predictable-token
    session_id = secrets.token_urlsafe(32)
    # ok: assay.python.predictable-token
    colour = random.choice(["red", "blue"])
    # ok: assay.python.predictable-token
    token_count = random.randint(1, 6)
    return otp, session_id, colour, token_count


def encrypt(key, data):
    # ruleid: assay.python.weak-cipher
    DES.new(key)
    # ruleid: assay.python.weak-cipher
    AES.new(key, AES.MODE_ECB)
    # ruleid: assay.python.weak-cipher
    Cipher(algorithms.AES(key), modes.ECB())
    # ok: assay.python.weak-cipher
    AES.new(key, AES.MODE_GCM, nonce=os.urandom(12))
    # ruleid: assay.python.constant-key-or-iv
    AES.new(b"0123456789abcdef", AES.MODE_GCM)
    # ruleid: assay.python.constant-key-or-iv
    Cipher(algorithms.AES(key), modes.CBC(b"0000000000000000"))
    # ok: assay.python.constant-key-or-iv
    Cipher(algorithms.AES(key), modes.CBC(os.urandom(16)))
    # ok: assay.python.constant-key-or-iv
    Fernet(os.environ["KEY"])


def call(url):
    # ruleid: assay.python.tls-not-verified
    requests.get(url, verify=False, timeout=3)
    # ruleid: assay.python.tls-not-verified
    httpx.Client(verify=False)
    session = requests.Session()
    # ruleid: assay.python.tls-not-verified
    session.verify = False
    context = ssl.create_default_context()
    # ruleid: assay.python.tls-not-verified
    context.verify_mode = ssl.CERT_NONE
    # ok: assay.python.tls-not-verified
    requests.get(url, verify="ca.pem", timeout=3)
    # ok: assay.python.tls-not-verified
    context.verify_mode = ssl.CERT_REQUIRED


def connect():
    client = paramiko.SSHClient()
    # ruleid: assay.python.ssh-host-key-not-verified
    client.set_missing_host_key_policy(paramiko.AutoAddPolicy())
    # ok: assay.python.ssh-host-key-not-verified
    client.set_missing_host_key_policy(paramiko.RejectPolicy())


def webhook(key, body, given):
    expected = hmac.new(key, body, "sha256").hexdigest()
    # ok: assay.python.signature-compared-in-variable-time
    if hmac.compare_digest(expected, given):
        return True
    # ruleid: assay.python.signature-compared-in-variable-time
    return expected == given


# ruleid: assay.python.short-rsa-key
RSA.generate(1024)
# ruleid: assay.python.short-rsa-key
rsa.generate_private_key(public_exponent=65537, key_size=1024)
# ok: assay.python.short-rsa-key
rsa.generate_private_key(public_exponent=65537, key_size=3072)

# ruleid: assay.python.hardcoded-signing-secret
app.secret_key = "not-really-a-secret"
# ruleid: assay.python.hardcoded-signing-secret
app.config["SECRET_KEY"] = os.environ.get("SECRET_KEY", "dev-secret-key")
# ok: assay.python.hardcoded-signing-secret
app.secret_key = os.environ["SECRET_KEY"]
# ruleid: assay.python.hardcoded-signing-secret
jwt.encode({"sub": 1}, "changeme-please", algorithm="HS256")
# ok: assay.python.hardcoded-signing-secret
jwt.encode({"sub": 1}, os.environ["JWT_SECRET"], algorithm="HS256")
# ok: assay.python.hardcoded-signing-secret
SECRET_KEY = ""
