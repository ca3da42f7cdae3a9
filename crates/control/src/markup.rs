//! What pages that stand alone have in common: their style, and text that is safe in markup.

/// The style of a report: light and dark, no font and no file beside it.
pub(crate) const STYLE: &str = "\
:root{color-scheme:light dark;--ink:#1b2733;--faint:#6b7785;--paper:#fff;--line:#dfe4ea;--card:#f7f9fb;\
--was:#9aa7b5;--is:#d9662b;--bad:#b3261e;--good:#1f7a4d;--doubt:#8a6100}\
@media(prefers-color-scheme:dark){:root{--ink:#e6ebf0;--faint:#97a3b0;--paper:#14191f;--line:#2c343d;\
--card:#1b2229;--was:#66727f;--is:#f08a4f;--bad:#ff8a80;--good:#6fcf97;--doubt:#f0c35c}}\
body{margin:0 auto;padding:2rem 1.5rem;max-width:74rem;background:var(--paper);color:var(--ink);\
font:15px/1.5 system-ui,sans-serif}\
h1{font-size:1.4rem;margin:0 0 .2rem}h2{font-size:1.05rem;margin:0;overflow-wrap:anywhere}\
p{margin:.2rem 0}.faint{color:var(--faint)}.drifted{color:var(--bad)}.steady{color:var(--good)}\
.not-judged{color:var(--doubt)}.not-compared{color:var(--faint)}\
table{border-collapse:collapse;margin:1.2rem 0 2rem;width:100%;font-variant-numeric:tabular-nums}\
th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}\
th{font-weight:600;color:var(--faint)}th:first-child,td:first-child,th:last-child,td:last-child{text-align:left;white-space:normal}\
td:first-child{overflow-wrap:anywhere;max-width:18rem}\
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(21rem,1fr));gap:1rem}\
.card{background:var(--card);border:1px solid var(--line);border-radius:8px;padding:.9rem 1rem}\
svg{display:block;width:100%;height:auto;margin-top:.5rem}svg text{fill:var(--faint);font-size:10px}\
.was{fill:var(--was)}.is{fill:var(--is)}.key{display:inline-block;width:.7em;height:.7em;border-radius:2px}\
@media(max-width:50rem){.wide{display:none}}";

/// Text that is safe in HTML and XML, as content and in attributes.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() => out.push(char::REPLACEMENT_CHARACTER),
            c => out.push(c),
        }
    }
    out
}
