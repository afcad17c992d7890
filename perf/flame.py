"""A flame graph as one SVG file: no network, light and dark, click to zoom, and a line about the frame under the mouse."""

import html

WIDTH, ROW, MARGIN, TOP, CHARACTER = 1200, 17, 12, 58, 7.3
NARROWEST = 0.4  # narrower frames are left out

STYLE = """
:root{--back:#fff;--ink:#1b1f24;--soft:#57606a;--kernel:#f3b49f;--library:#f5d68a;--ours:#9fd3b0;--other:#c9cfd6}
@media (prefers-color-scheme:dark){:root{--back:#14171b;--ink:#e8eaed;--soft:#9aa4af;--kernel:#8a4a37;--library:#7a6322;--ours:#2f6b45;--other:#48515b}}
text{font:12px ui-monospace,Menlo,Consolas,monospace;fill:var(--ink)}
.title{font:600 15px system-ui,sans-serif}.soft{font:12px system-ui,sans-serif;fill:var(--soft)}
.k rect{fill:var(--kernel)}.l rect{fill:var(--library)}.o rect{fill:var(--ours)}.x rect{fill:var(--other)}
g.f rect{stroke:var(--back);stroke-width:.6}g.f{cursor:pointer}g.f:hover rect{opacity:.75}
"""

SCRIPT = """
const frames=[...document.querySelectorAll('g.f')],info=document.getElementById('info'),W=%(inner)d,M=%(margin)d,C=%(character)s;
const note=info.textContent;
function place(g,x,w){const r=g.firstElementChild,t=g.lastElementChild;if(w<%(narrowest)s){g.style.display='none';return}
g.style.display='';r.setAttribute('x',M+x);r.setAttribute('width',w);t.setAttribute('x',M+x+3);
const n=g.dataset.n,room=Math.floor((w-6)/C);t.textContent=room<3?'':n.length<=room?n:n.slice(0,room-1)+'…'}
function zoom(to){const a=to?+to.dataset.a:0,b=to?+to.dataset.b:%(total)d,k=W/(b-a);
for(const g of frames){const x=Math.max(+g.dataset.a,a),y=Math.min(+g.dataset.b,b);place(g,(x-a)*k,Math.max(0,(y-x)*k))}}
for(const g of frames){g.onclick=()=>zoom(g);g.onmouseenter=()=>{info.textContent=g.querySelector('title').textContent};g.onmouseleave=()=>{info.textContent=note}}
document.getElementById('all').onclick=()=>zoom(null);
"""


def tree_of(folded):
    """[(frames outermost first, count)] -> {name: [count, kind, children]}; frames are (name, kind)."""
    root = {}
    for frames, count in folded:
        level = root
        for name, kind in frames:
            node = level.setdefault((name, kind), [0, {}])
            node[0] += count
            level = node[1]
    return root


def svg(folded, title, note):
    total = sum(count for _, count in folded)
    inner, boxes, deepest = WIDTH - 2 * MARGIN, [], 0

    def walk(level, start, depth):
        nonlocal deepest
        at = start
        for (name, kind), (count, children) in sorted(level.items()):
            if count * inner / total >= NARROWEST / 8:  # may become visible when zoomed in
                boxes.append((name, kind, at, at + count, depth))
                deepest = max(deepest, depth)
                walk(children, at, depth + 1)
            at += count

    walk(tree_of(folded), 0, 0)
    height = TOP + (deepest + 1) * ROW + MARGIN
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" width="100%" role="img" aria-label="{html.escape(title)}">',
        f"<style>{STYLE}</style>",
        '<rect width="100%" height="100%" style="fill:var(--back)"/>',
        f'<text class="title" x="{MARGIN}" y="22">{html.escape(title)}</text>',
        f'<text class="soft" id="info" x="{MARGIN}" y="42">{html.escape(note)}</text>',
        f'<text class="soft" id="all" x="{WIDTH - MARGIN}" y="22" text-anchor="end" style="cursor:pointer">show all</text>',
    ]
    for name, kind, first, last, depth in boxes:
        x, width, y = first * inner / total, (last - first) * inner / total, height - MARGIN - (depth + 1) * ROW
        room = int((width - 6) / CHARACTER)
        label = "" if room < 3 else name if len(name) <= room else name[: room - 1] + "…"
        hidden = ' style="display:none"' if width < NARROWEST else ""
        out.append(
            f'<g class="f {kind}" data-n="{html.escape(name)}" data-a="{first}" data-b="{last}"{hidden}>'
            f'<rect x="{MARGIN + x:.2f}" y="{y}" width="{width:.2f}" height="{ROW - 1}" rx="2"/>'
            f"<title>{html.escape(name)}: {(last - first) / total:.2%}, {last - first} samples</title>"
            f'<text x="{MARGIN + x + 3:.2f}" y="{y + 12}">{html.escape(label)}</text></g>'
        )
    script = SCRIPT % {"inner": inner, "margin": MARGIN, "character": CHARACTER, "narrowest": NARROWEST, "total": total}
    out.append(f"<script><![CDATA[{script}]]></script></svg>")
    return "\n".join(out) + "\n"
