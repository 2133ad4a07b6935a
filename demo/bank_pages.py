"""What the demo's bank shows. Its own look, so that nobody takes it for the gateway."""

from __future__ import annotations

from starlette.responses import HTMLResponse

_SHELL = """<!doctype html><html lang="zh-CN"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">{refresh}<link rel="icon" href="data:,"><title>{title} · 惠民银行</title><style>
body{{font:1.15rem/1.6 system-ui,sans-serif;max-width:34rem;margin:0 auto;padding:1rem;color:#10243e;background:#eef4fb}}
header{{font-weight:700;font-size:1.3rem;border-bottom:3px solid #10559a;padding-bottom:.4rem}} small{{color:#4a5d75}}
button,.button{{font:inherit;display:block;width:100%;box-sizing:border-box;text-align:center;padding:.8rem;margin:.7rem 0;
border:0;border-radius:.4rem;background:#10559a;color:#fff;text-decoration:none}} .second{{background:#fff;color:#10559a;
border:2px solid #10559a}} section{{background:#fff;border-radius:.5rem;padding:.5rem 1rem 1rem;margin:1rem 0}}
svg{{width:16rem;max-width:100%;height:auto;display:block;margin:0 auto;background:#fff}} li{{margin:.3rem 0}}</style></head>
<body><header>惠民银行 <small>Huimin Bank（演示 demo）</small></header><main><h1>{title}</h1>{body}</main></body></html>"""

START = """<p>开户以前要您到流管办开一张居住证明。现在不用跑了：在手机上点一下就行。<br>
<small>You used to fetch a residence paper at a counter. Now you show it from your phone.</small></p>
<section><form method="post" action="/start"><input type="hidden" name="way" value="here">
<button>用这台设备上的证照出示<br><small style="color:#dce8f6">Show it from the wallet on this device</small></button></form>
<form method="post" action="/start"><input type="hidden" name="way" value="phone">
<button class="second">用手机扫码出示<br><small>Scan a code with the phone</small></button></form></section>
<p><small>我们只问：您现在住在哪个区、证明是谁的。不问地址，也不问其他任何事。<br>
All we ask: in which district you live, and whose document it is.</small></p>"""

WAIT = """<p>请用手机相机扫这个码。<br><small>Scan this with the phone's camera.</small></p><section>{qr}</section>
<p><a class="button second" href="{link}" target="_blank" rel="noopener">在这台电脑上打开 Open it on this computer</a></p>
<p><small>出示以后这一页自己会变。 This page changes by itself.</small></p>"""

BACK = """<p>正在取回结果。 Fetching the result.</p><script>
var code = new URLSearchParams(location.hash.slice(1)).get("response_code");
fetch("/code", {method: "POST", headers: {"content-type": "application/json"}, body: JSON.stringify({response_code: code})})
  .then(function (answer) { location.replace(answer.ok ? "/account" : "/lost"); }, function () { location.replace("/lost"); });
</script><noscript><p>请开启 JavaScript，或改用扫码。 Please switch JavaScript on, or scan the code instead.</p></noscript>"""

ACCOUNT = """<p>核验通过，账户已开立。 Checked; your account is open.</p><section>{facts}</section>
<p>少跑一趟：没有要您去开纸质证明。 <small>One errand saved: no paper was asked for.</small></p>
<p><a class="button second" href="/">再来一次 Once more</a></p>"""

AGAIN = """<p>{why}</p><p><a class="button second" href="/">再来一次 Once more</a></p>"""


def page(title: str, body: str, refresh_s: int = 0) -> HTMLResponse:
    refresh = f'<meta http-equiv="refresh" content="{refresh_s}">' if refresh_s else ""
    return HTMLResponse(_SHELL.format(title=title, body=body, refresh=refresh), headers={"cache-control": "no-store"})
