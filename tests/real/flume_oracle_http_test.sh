#!/usr/bin/env bash
# Needs: flume
# Source http compared with a real Flume's: the status of every answer, and the events; JSONHandler and BLOBHandler.
# shellcheck source=tests/real/oracle.sh
source "$(dirname "${BASH_SOURCE[0]}")/oracle.sh"
command -v python3 >/dev/null || skip "no python3, which plays the client"

base=$(ports_reserve)
requests=$here/../stages/data/http_requests.txt # the answers of both are in it

cat >"$work/client.py" <<'EOF_'
import http.client, socket, sys, time
base, out = int(sys.argv[1]), open(sys.argv[2], 'w')
json, blob = base, base + 1
J = 'application/json'
def connect(port):
    for _ in range(1800):
        try:
            return socket.create_connection(('127.0.0.1', port), 20)
        except OSError:
            time.sleep(0.1)
def talk(name, port, method='POST', path='/', body=b'', kind=J, fields=(), length=True, version='1.1'):
    s = connect(port)
    head = f'{method} {path} HTTP/{version}\r\nHost: localhost\r\nConnection: close\r\n'
    head += f'Content-Type: {kind}\r\n' if kind else ''
    head += f'Content-Length: {len(body)}\r\n' if length else ''
    head += ''.join(f + '\r\n' for f in fields)
    s.sendall(head.encode() + b'\r\n' + body)
    answer = http.client.HTTPResponse(s, method=method)
    try:
        answer.begin()
        out.write(f'{name}: {answer.status}\n')
        answer.read()
    except Exception as e:
        out.write(f'{name}: no answer\n')
    s.close()
texts = {
    'two': '[{"headers":{"a":"b"},"body":"random_body"},{"headers":{"e":"f"},"body":"random_body2"}]',
    'none': '[]', 'no members': '[{}]', 'nulls': '[{"headers":null,"body":null}]', 'empty': '', 'blank': ' \n ', 'null': 'null',
    'null event': '[null]', 'comma at the end': '[{"body":"x"},]', 'commas': '[,]', 'semicolons': '[{"body":"x";"headers":{}};{}]',
    'object': '{"body":"x"}', 'text': '"x"', 'number': '5', 'array in array': '[[]]', 'number event': '[5]',
    'cut': '[{"body":"x"}', 'cut text': '[{"body":"x', 'behind': '[{"body":"x"}] y', 'blank behind': '[{"body":"x"}] \n', 'comment behind': '[] // x',
    'single': "[{'body':'it is \\'so\\''}]", 'bare': '[{body:word}]', 'bare with blank': '[{body:two words}]', 'arrow': '[{"body"=>"x"}]', 'equals': '[{"body"="x"}]',
    'numbers': '[{"body":1.50,"headers":{"a":-0,"b":1e3,"c":12345678901234567890,"d":007}}]', 'booleans': '[{"body":TRUE,"headers":{"a":False}}]',
    'body object': '[{"body":{}}]', 'body array': '[{"body":[]}]', 'header object': '[{"headers":{"a":{}}}]', 'headers text': '[{"headers":"x"}]', 'headers number': '[{"headers":5}]',
    'pairs': '[{"headers":[["a","b"],["c","d"]],"body":"x"}]', 'pair of one': '[{"headers":[["a"]]}]', 'pair of three': '[{"headers":[["a","b","c"]]}]',
    'twice': '[{"headers":{"a":"1","a":"2"}}]', 'twice escaped': '[{"headers":{"a":"1","\\u0061":"2"}}]', 'body twice': '[{"body":"1","body":"2"}]', 'headers twice': '[{"headers":{"a":"1"},"headers":{"b":"2"}}]',
    'others': '[{"x":[1,{"y":[,]},"z"],"body":"x","w":null}]', 'comments': '[/* a */{#b\n"body"://c\n"x"}]', 'prefix': ")]}'\n[{\"body\":\"x\"}]",
    'escapes': '[{"body":"\\u00e9\\t\\"\\/\\\\ \\ud83d\\ude00"}]', 'lone': '[{"body":"a\\ud83db\\udc00"}]', 'bad escape': '[{"body":"\\x"}]', 'bad hex': '[{"body":"\\uZZZZ"}]', 'short hex': '[{"body":"\\u12"}]',
    'tab in text': '[{"body":"a\tb"}]', 'utf-8': '[{"headers":{"ä":"ö"},"body":"é€😀"}]', 'keyword': '[{"body":nul}]', 'colon': '[{"body" "x"}]', 'Flume test': '[{"a": "b",["d":"e"],"body": "random_body"},{"e": "f","body": "random_body2"}]',
    'name null': '[{"headers":{null:"x"}}]', 'star': '[{"body":"x"}*]', 'slash': '[{"body":a/b}]', 'nothing': '[{"body":}]',
}
for name, text in texts.items():
    talk(name, json, body=text.encode())
raw = '[{"headers":{"k":"é"},"body":"wide é€😀"}]'
for charset, bytes_ in (('utf-8', raw.encode()), ('UTF-8', raw.encode()), ('"utf-8"', raw.encode()), ('utf-16', raw.encode('utf-16')), ('UTF-16', raw.encode('utf-16-be')), ('utf-32', raw.encode('utf-32')),
                        ('UTF-32', raw.encode('utf-32-be')), ('ISO-8859-1', b'[]'), ('utf-16be', b''), ('none-such', b'[]')):
    talk('charset ' + charset, json, body=bytes_, kind=J + '; charset=' + charset)
talk('bad bytes', json, body=b'[{"body":"a\xffb\xc3"}]')
talk('no type', json, body=b'[{"body":"plain"}]', kind=None)
talk('form', json, body=b'[{"body":"form"}]', kind='application/x-www-form-urlencoded')
for method in ('GET', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'PATCH', 'NOSUCH'):
    talk(method, json, method=method, body=b'[{"body":"x"}]' if method in ('PUT', 'PATCH') else b'')
talk('path', json, path='/any/path?with=query', body=b'[{"body":"path"}]')
talk('old', json, body=b'[{"body":"old"}]', version='1.0')
talk('chunked', json, body=b'5\r\n[{"bo\r\n8\r\ndy":"x"}\r\n1\r\n]\r\n0\r\n\r\n', fields=['Transfer-Encoding: chunked'], length=False)
talk('long field', json, body=b'[]', fields=['X: ' + 'x' * 9000])
talk('two lengths', json, body=b'[]', fields=['Content-Length: 3'])
talk('150 events', json, body=b'[' + b','.join(b'{"body":"many %d"}' % i for i in range(150)) + b']')
for name, path in (('both', '/?a=1&b=two+words'), ('encoded', '/?a=%C3%A9%2B&b=&c'), ('first', '/?a=1&a=2&b=3'), ('missing', '/?a=1'), ('no query', '/'), ('empty names', '/?&&a=&=x&b==&')):
    talk('blob ' + name, blob, path=path, body=b'raw\x01 ' + name.encode(), kind='text/plain')
talk('blob form', blob, path='/?a=1&b=2', body=b'c=3&d=4', kind='application/x-www-form-urlencoded')
table = open(sys.argv[2] + '.table', 'w')
for line in open(sys.argv[3]):
    if line.startswith('#'):
        continue
    _, _, what, request = line.rstrip('\n').split('|', 3)
    s = connect(json)
    s.sendall(request.encode('latin-1').decode('unicode_escape').encode('latin-1'))
    answer = b''
    try:
        while b'\r\n' not in answer and (part := s.recv(4096)):
            answer += part
    except OSError:
        pass
    table.write(f'{answer[9:12].decode("latin-1")}|{what}\n')
    s.close()
table.close()
talk('json last', json, body=b'[{"body":"the last"}]')
talk('blob last', blob, path='/?a=1&b=2', body=b'last', kind='text/plain')
out.write('end\n')
out.close()
EOF_

agent_file() {
    local source number=$base
    printf 'a1.%s = %s\n' sources "json blob" channels "json blob" sinks "json blob"
    echo "a1.sources.blob.handler = org.apache.flume.source.http.BLOBHandler"
    echo "a1.sources.blob.handler.mandatoryParameters = a,b"
    for source in json blob; do
        cat <<-EOF_
		a1.sources.$source.type = http
		a1.sources.$source.bind = 127.0.0.1
		a1.sources.$source.port = $number
		a1.sources.$source.channels = $source
		EOF_
        into_files "$source" "$1/$source" 5000 5000
        ((number += 1))
    done
    python3 "$work/client.py" "$base" "$1.answers" "$requests" >"$1.client" 2>&1 &
}
arrived() { # the last event of each source
    cat "$1/json/"* "$1/blob/"* 2>/dev/null | grep -ac ' last$'
}
leaving() { # DIR: when the client has written all answers
    await 60 grep -qx end "$1.answers" || true # the answers are compared below
}
both 2
same "answers" "$work/flume.answers" "$work/penstock.answers"
grep -v '^#' "$requests" | cut -d'|' -f1,3 | diff -u - "$work/flume.answers.table" || fail "Flume answers malformed requests otherwise"
[[ ${ENGINE:-} == java ]] && column=1 || column=2
grep -v '^#' "$requests" | cut -d"|" -f"$column",3 | diff -u - "$work/penstock.answers.table" || fail "penstock answers malformed requests otherwise"
for source in json blob; do
    same_content "$source" "$source"
done
