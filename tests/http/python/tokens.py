"""Verifies and makes tokens with PyJWT, for tests/http/pyjwt.rs: one JSON object in, one out."""

import json
import sys

import jwt
from jwt.utils import base64url_decode
from cryptography.hazmat.primitives.serialization import load_der_private_key

REQUIRED = {"require": ["exp", "iat", "nbf", "iss", "aud", "sub", "jti"]}


def key_of(work, token):
    """The key that the token's header names: in a JWKS, or in a key file of `sso keys`."""
    kid = jwt.get_unverified_header(token)["kid"]
    if "jwks" in work:
        return jwt.PyJWKSet.from_dict(work["jwks"])[kid].key, ["EdDSA"]
    key = next(key for key in work["file"]["keys"] if key["kid"] == kid)
    return base64url_decode(key["secret"]), ["HS256"]


def verify(work):
    try:
        key, algorithms = key_of(work, work["token"])
        claims = jwt.decode(
            work["token"], key, algorithms=algorithms, issuer=work["iss"], audience=work["aud"], options=REQUIRED
        )
    except (jwt.PyJWTError, KeyError, StopIteration) as error:
        return {"refused": type(error).__name__}
    return {"claims": claims, "typ": jwt.get_unverified_header(work["token"])["typ"]}


def sign(work):
    key = work["file"]["keys"][0]
    secret = base64url_decode(key["secret"])
    if key["alg"] == "EdDSA":
        secret = load_der_private_key(secret, password=None)
    headers = {"kid": key["kid"], "typ": work["typ"]}
    return {"token": jwt.encode(work["claims"], secret, algorithm=key["alg"], headers=headers)}


work = json.load(sys.stdin)
json.dump({"verify": verify, "sign": sign}[work["do"]](work), sys.stdout)
