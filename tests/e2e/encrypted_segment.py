"""Reads an encrypted log as docs/CHANNEL-FORMAT.md describes it, with an AES-GCM of its own (FIPS 197, SP 800-38D), and prints the
body of each event, one a line. It shares no code with the program, nor with OpenSSL; `cryptography` is asked, too, if it is there.

    encrypted_segment.py NAME=HEXKEY[,NAME=HEXKEY..] SEGMENT...
"""
import hashlib
import hmac
import struct
import sys

try:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
except ImportError:
    AESGCM = None


def make_box():
    box, p, q = [0] * 256, 1, 1
    while True:
        p = p ^ (p << 1 & 255) ^ (0x1B if p & 128 else 0)
        q ^= q << 1
        q ^= q << 2
        q ^= q << 4
        q &= 255
        q ^= 9 if q & 128 else 0
        box[p] = 0x63
        for turn in range(5):
            box[p] ^= (q << turn | q >> (8 - turn)) & 255
        if p == 1:
            break
    box[0] = 0x63
    return box


BOX = make_box()
TWICE = [x << 1 & 255 ^ (0x1B if x & 128 else 0) for x in range(256)]


def expand(key):
    words, n, round_constant = [list(key[i : i + 4]) for i in range(0, len(key), 4)], len(key) // 4, 1
    for i in range(n, 4 * (n + 7)):
        word = list(words[-1])
        if i % n == 0:
            word = [BOX[x] for x in word[1:] + word[:1]]
            word[0] ^= round_constant
            round_constant = TWICE[round_constant]
        elif n == 8 and i % 8 == 4:
            word = [BOX[x] for x in word]
        words.append([a ^ b for a, b in zip(word, words[i - n])])
    return [sum(words[i : i + 4], []) for i in range(0, len(words), 4)]


def encrypt(keys, block):
    state = [a ^ b for a, b in zip(block, keys[0])]
    for turn, key in enumerate(keys[1:], 1):
        state = [BOX[state[(i + 4 * (i % 4)) % 16]] for i in range(16)]
        if turn < len(keys) - 1:
            mixed = []
            for i in range(0, 16, 4):
                a, whole = state[i : i + 4], state[i] ^ state[i + 1] ^ state[i + 2] ^ state[i + 3]
                mixed += [a[k] ^ whole ^ TWICE[a[k] ^ a[(k + 1) % 4]] for k in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key)]
    return bytes(state)


def multiply(x, y):
    product = 0
    for i in range(127, -1, -1):
        if x >> i & 1:
            product ^= y
        y = y >> 1 ^ (0xE1 << 120 if y & 1 else 0)
    return product


def open_sealed(key, nonce, sealed, bound):
    keys, message, tag = expand(key), sealed[:-16], sealed[-16:]
    hash_key, digest = int.from_bytes(encrypt(keys, bytes(16)), "big"), 0
    padded = bound + bytes(-len(bound) % 16) + message + bytes(-len(message) % 16)
    padded += struct.pack(">QQ", 8 * len(bound), 8 * len(message))
    for i in range(0, len(padded), 16):
        digest = multiply(digest ^ int.from_bytes(padded[i : i + 16], "big"), hash_key)
    mask = encrypt(keys, nonce + struct.pack(">I", 1))
    if bytes(a ^ b for a, b in zip(digest.to_bytes(16, "big"), mask)) != tag:
        raise SystemExit("a tag is wrong")
    stream = b"".join(encrypt(keys, nonce + struct.pack(">I", 2 + i)) for i in range((len(message) + 15) // 16))
    plain = bytes(a ^ b for a, b in zip(message, stream))
    if AESGCM is not None and AESGCM(key).decrypt(nonce, sealed, bound) != plain:
        raise SystemExit("two implementations do not agree")
    return plain


def bodies(payload):
    count, _, _, shared = struct.unpack_from("<IIII", payload)
    at = 16
    for _ in range(shared):
        at += 8 + struct.unpack_from("<I", payload, at + 4)[0]
    for _ in range(count):
        length, headers = struct.unpack_from("<II", payload, at)
        yield payload[at + 8 : at + 8 + length]
        at += 8 + length
        for _ in range(headers):
            at += 8 + struct.unpack_from("<I", payload, at + 4)[0]


def read(path, keys):
    data = open(path, "rb").read()
    if data[:16] != b"penstock segment" or struct.unpack_from("<I", data, 16)[0] != 2:
        raise SystemExit(f"{path} is no encrypted segment")
    cipher, key_bytes = struct.unpack_from("<II", data, 64)
    salt, tag = data[72:104], data[104:120]
    name = data[124 : 124 + struct.unpack_from("<I", data, 120)[0]].decode()
    key = keys[name]
    assert cipher == 1 and key_bytes == len(key)
    extracted = hmac.new(salt, key, hashlib.sha256).digest()
    own = hmac.new(extracted, data[:48] + b"\1", hashlib.sha256).digest()[:key_bytes]
    head = data[:60] + bytes(4) + data[64:104] + bytes(16) + data[120:252] + bytes(4)
    open_sealed(own, bytes(4) + b"\xff" * 8, tag, head)
    at = 256
    while data[at : at + 4] == b"FRM1":
        length, kind = struct.unpack_from("<II", data, at + 12)
        stored, bound = data[at + 48 : at + 48 + length], data[at + 12 : at + 48]
        nonce = bytes(4) + struct.pack("<Q", at)
        if kind == 1:
            for body in bodies(open_sealed(own, nonce, stored, bound)):
                print(body.decode())
        else:
            open_sealed(own, nonce, stored[-16:], bound + stored[:-16])
        if kind == 3:
            break
        at += (48 + length + 7) // 8 * 8


known = {name: bytes.fromhex(key) for name, key in (one.split("=") for one in sys.argv[1].split(","))}
for segment in sys.argv[2:]:
    read(segment, known)
