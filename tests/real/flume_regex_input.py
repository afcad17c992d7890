"""Writes the input of tests/real/flume_regex_test.sh: ordinary lines, and lines of malformed bytes. The first interceptors
of each chain replace <LF>, <CR> and <CRLF> by these characters inside a body."""
import sys

ordinary = '''
127.0.0.1 - frank [10/Oct/2000:13:55:36 -0700] "GET /apache_pb.gif HTTP/1.0" status=200 bytes=2326
10.1.2.3 - - [11/Oct/2012:22:14:15 +0200] "POST /a?b=c&d=%20 HTTP/1.1" status=404 bytes=-
2012-10-11 22:14:15 INFO  [main] com.example.Main: started in 12 ms user=joe ip=10.0.0.1
2012-02-29 00:00:00 DEBUG [pool-1] com.example.Pool: DEBUG again user=jane
2017-10-29 02:30:00 ERROR [x] java.lang.IllegalStateException: no [brackets] (or braces) {here}
2013-12-31 23:59:59 WARN  [y] error Error ERROR eRrOr
{"level":"info","msg":"a \\"quoted\\" text","n":12,"list":[1,2,3]}
card 4111 1111 1111 1111 and 5500-0000-0000-0004, phone 0123456789
mail joe@example.com, jane.doe@mail.example.org; price $5 or 5 $ \\ backslash \\$1
key=value k2="two words" k3= k4=x=y
aaabbbccc aabbcc abcabc xyzzy
<14>Oct 11 22:14:15 host app[123]: message
status=200
status=500
   leading and trailing   
tab\there\tand there
naïve café Straße ÅNGSTRÖM ſ K İstanbul ıi ΣΑΣ σας
café
caféx
日本語テキスト 😀 emoji 👩‍👩‍👧 𝒜
combining e\u0301 a\u0300x
nbsp\u00a0here ideographic\u3000space nel\u0085here ls\u2028here ps\u2029here
12345
abcde
éééée
😀😀😀😀😀
a
.
*
^$
one<LF>two status=200
one<CR>two
one<CRLF>two
ends with<LF>
ends with<CR>
ends with<CRLF>
<LF>
<CRLF>
<LF><LF>x
a<LF>b<LF>c
2012-10-11 22:14:15<LF>INFO in the next line
x<CR><LF><CR>y
'''.strip('\n').split('\n') + ['']

nasty = [
    b'\xff\xfe\xfd', b'caf\xe9 status=200', b'cut \xc3', b'\x80\x80 abc', b'a\xe2\x82b', b'\xf0\x9f\x98', b'\xed\xa0\x80 surrogate',
    b'\xc0\x80 overlong', b'nul \x00 here status=200', b'\x00', b'\x01\x02\x7f', b'\xf4\x90\x80\x80', b'user=\xffx ip=\xfe1', b'\xc3\xa9\xc3 caf\xc3\xa9',
]
with open(sys.argv[1], 'wb') as out:
    for line in ordinary:
        out.write(line.encode() + b'\n')
    for line in nasty:
        out.write(line + b'\n')
    for n in range(40):
        out.write(b'2026-11-%02d %02d:%02d:%02d line %d status=%d user=u%d ip=10.0.%d.1\n' % (n % 28 + 1, n % 24, n, n, n, (200, 404, 500)[n % 3], n % 7, n))
    out.write(b'long ' + b'x' * 4000 + b' status=404\n')
    out.write(b'end\n')
