"""A broker that knows ApiVersions, SaslHandshake and SaslAuthenticate, and refuses every user. Prints its port.

Kafka's protocol guide: requests are length, api key, version, correlation id, client id; SaslAuthenticate answers error 58
(SASL_AUTHENTICATION_FAILED) with a text."""
import socket
import struct
import threading

APIS = [(3, 0, 1), (17, 0, 1), (18, 0, 0), (36, 0, 0)]


def text(value):
    return struct.pack('>h', len(value)) + value.encode()


def read(connection, count):
    data = b''
    while len(data) < count:
        more = connection.recv(count - len(data))
        if not more:
            raise ConnectionError
        data += more
    return data


def serve(connection):
    try:
        while True:
            request = read(connection, struct.unpack('>i', read(connection, 4))[0])
            key, version, correlation = struct.unpack('>hhi', request[:8])
            if key == 18:  # of a later version only the error is read
                body = struct.pack('>h', 0 if version == 0 else 35) + struct.pack('>i', len(APIS))
                body += b''.join(struct.pack('>hhh', *api) for api in APIS)
            elif key == 17:
                body = struct.pack('>hi', 0, 1) + text('PLAIN')
            elif key == 36:
                user = request[8:].split(b'\0')[-2].decode()
                body = struct.pack('>h', 58) + text(user + ' is not known here') + struct.pack('>i', 0)
            else:
                return
            answer = struct.pack('>i', correlation) + body
            connection.sendall(struct.pack('>i', len(answer)) + answer)
    except ConnectionError:
        pass
    finally:
        connection.close()


listener = socket.socket()
listener.bind(('127.0.0.1', 0))
listener.listen()
print(listener.getsockname()[1], flush=True)
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
