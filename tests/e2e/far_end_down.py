# A far end that is up and useless: it accepts and never answers (silent), or answers each HTTP request with a status. Prints a line when it listens.
# Usage: far_end_down.py PORT silent|STATUS
import socket
import sys
import threading

port, kind = int(sys.argv[1]), sys.argv[2]
listener = socket.socket()
listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
listener.bind(('127.0.0.1', port))
listener.listen(64)
print('listening', flush=True)


def read_request(file):
    length = 0
    line = file.readline()
    if not line:
        return False
    while line not in (b'\r\n', b''):
        if line.lower().startswith(b'content-length:'):
            length = int(line.split(b':')[1])
        line = file.readline()
    file.read(length)
    return True


def serve(connection):
    file = connection.makefile('rb')
    try:
        if kind == 'silent':
            while file.read(65536):
                pass
        while kind != 'silent' and read_request(file):
            connection.sendall(b'HTTP/1.1 %s No\r\nContent-Length: 0\r\n\r\n' % kind.encode())
    except OSError:
        pass


while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
