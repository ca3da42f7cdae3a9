use plimsoll_guard::{frame::*, contract::*, expr::*, splice::*};
use plimsoll_core::manifest::*; use plimsoll_core::Code; use serde_json::{Value,json,Map};
fn b64(s:&str)->Vec<u8>{let mut o=vec![];let mut a=0u32;let mut n=0;for c in s.bytes(){let v=match c{b'A'..=b'Z'=>c-65,b'a'..=b'z'=>c-71,b'0'..=b'9'=>c+4,b'+'=>62,b'/'=>63,_=>continue};a=a<<6|v as u32;n+=6;if n>=8{n-=8;o.push((a>>n) as u8);a&=(1<<n)-1;}}o}
fn lines(f:&str)->Vec<Value>{std::fs::read_to_string(format!("/tmp/corp/{f}")).unwrap().lines().map(|l|serde_json::from_str(l).unwrap()).collect()}
fn spec()->InputSpec{InputSpec{schema:None,missing:MissingPolicy::Refuse,unknown_category:CategoryPolicy::Refuse,unknown_field:UnknownFieldPolicy::Refuse,out_of_range:CategoryPolicy::Refuse,columns:Default::default(),rules:Default::default(),rows_max:1}}
#[allow(clippy::disallowed_methods)]
fn time(name:&str,n:u32,mut f:impl FnMut()){ for _ in 0..n/10{f();} let mut best=f64::MAX; for _ in 0..5{let t=std::time::Instant::now(); for _ in 0..n{f();} best=best.min(t.elapsed().as_nanos() as f64/n as f64);} println!("{name}: {best:.0} ns"); }
fn main(){
 let (mut ok,mut bad)=(0,0);
 for r in lines("jsontestsuite.jsonl"){ let by=b64(r["b64"].as_str().unwrap()); let res=scan(&by,&FrameLimits::default()); if let Ok(f)=&res { f.value(); }
  let e=r["expect"].as_str().unwrap(); let good=match e{"accept"|"yes"|"y"=>res.is_ok(),"reject"|"no"|"n"=>res.is_err(),_=>true}; if good{ok+=1}else{bad+=1;}
  if !good||e=="either" {println!("{} {} -> {:?}",r["name"],e,res.map(|f|f.kind()).map_err(|e|e.to_string()+" "+e.code.as_str()));}}
 println!("jsontestsuite ok {ok} bad {bad}");
 let schema=json!({"type":"object","required":["age","income","country","has_loan","score","opened","zip"],"additionalProperties":false,"properties":{
  "age":{"type":"integer","minimum":0,"maximum":120},"income":{"type":["number","null"],"minimum":0,"maximum":1e7},"country":{"enum":["US","DE","IN","BR"]},
  "has_loan":{"type":"boolean"},"score":{"type":["number","null"],"minimum":0,"maximum":1},"opened":{"type":["string","null"],"format":"date"},"zip":{"type":["string","null"],"pattern":"^[0-9]{5}$"}}});
 let c=Contract::compile(Some(&schema),&spec()).unwrap(); println!("is_row {}",c.is_row());
 let whole=JsonContract::compile(&schema).unwrap();
 let (mut ok,mut bad)=(0,0);
 for r in lines("tabular_contracts.jsonl"){ let t=r["row_json"].as_str().unwrap(); let res=scan(t.as_bytes(),&FrameLimits::default()).map_err(|e|e.code.to_string()).and_then(|f|match f.value(){Value::Object(m)=>{let j=whole.check(&Value::Object(m.clone()),Code::ContractSchema).is_ok(); let s=c.screen(&m).map(|_|()); if j!=s.is_ok(){println!("DIFF jsonschema {j} {}",r["name"]);} s.map_err(|v|v.iter().map(|v|format!("{} {} {}",v.code,v.field,v.message)).collect::<Vec<_>>().join("; "))},_=>Err("no object".into())});
  let want=r["strict"]=="accept"; if want==res.is_ok(){ok+=1}else{bad+=1;println!("BAD {}: {:?}",r["name"],res);} if let Err(e)=res{println!("  {} {}",r["name"],e);} }
 println!("tabular ok {ok} bad {bad}");
 let (mut ok,mut bad,mut nc)=(0,0,std::collections::BTreeMap::<String,usize>::new()); let mut table=(0,0,0);
 for r in lines("jsonschema.jsonl"){ let mut s=r["schema"].clone(); if let Some(m)=s.as_object_mut(){ if r["draft"]=="draft7"{m.entry("$schema").or_insert(json!("http://json-schema.org/draft-07/schema#"));}}
  match JsonContract::compile(&s){Err(p)=>{*nc.entry(format!("{}: {}",r["file"],p[0].message.chars().take(70).collect::<String>())).or_default()+=1;},
   Ok(c)=>{ let res=c.check(&r["data"],Code::OutputSchema); if res.is_ok()==r["valid"].as_bool().unwrap(){ok+=1}else{bad+=1;println!("BAD {} {} {}: {:?}",r["draft"],r["file"],r["test"],res);}
    // the table must agree when it is used with default policies and additional fields allowed
    if let (Value::Object(m),Ok(t))=(&r["data"],Contract::compile(Some(&s),&spec())){ if t.is_row(){ table.0+=1; let v=t.screen(m); let extra=v.as_ref().err().is_some_and(|v|v.iter().all(|v|v.code==Code::ContractUnknownField)); if v.is_ok()!=r["valid"].as_bool().unwrap() && !(extra){table.1+=1;println!("TABLE {} {} {} {}: {:?}",r["file"],r["test"],s,r["data"],v);} if extra{table.2+=1;}}}
   }}}
 println!("jsonschema ok {ok} bad {bad} table {table:?}"); for (k,v) in nc{println!("  not compiled {v} {k}");}
 let body=json!({"model":"support-answer","messages":[{"role":"system","content":"You answer questions of customers from our help pages, briefly."},{"role":"user","content":"How do I change the address on my invoice? I moved last week and the old one is still printed."}],"temperature":0.2,"max_tokens":200,"stream":false,"user":"u-1029"}).to_string();
 println!("body {}",body.len()); let l=FrameLimits::default();
 time("frame chat",200000,||{std::hint::black_box(scan(std::hint::black_box(body.as_bytes()),&l).unwrap());});
 let f=scan(body.as_bytes(),&l).unwrap(); time("splice 2",200000,||{std::hint::black_box(Splice::new(&f).set("model","\"gpt-5-mini\"").set("max_tokens","100").finish());});
 let schema8=json!({"type":"object","required":["a1","a2","a3","a4","a5","s1","s2","s3"],"properties":{"a1":{"type":"number","minimum":0,"maximum":100},"a2":{"type":"integer","minimum":0},"a3":{"type":"number"},"a4":{"type":"integer","minimum":0,"maximum":10},"a5":{"type":"number","exclusiveMinimum":0},"s1":{"enum":["x","y","z"]},"s2":{"type":"string"},"s3":{"type":"string","enum":["own","rent"]}}});
 let row=json!({"a1":42,"a2":5000,"a3":0.25,"a4":3,"a5":12.5,"s1":"y","s2":"sales","s3":"rent"}); let t=row.to_string(); println!("row {}",t.len());
 time("frame row",200000,||{std::hint::black_box(scan(std::hint::black_box(t.as_bytes()),&l).unwrap());});
 time("frame row value",200000,||{std::hint::black_box(scan(std::hint::black_box(t.as_bytes()),&l).unwrap().value());});
 let m=row.as_object().unwrap().clone(); let mut sh=Map::new(); for (k,v) in m.iter().rev(){sh.insert(k.clone(),v.clone());}
 let c=Contract::compile(Some(&schema8),&spec()).unwrap();
 time("clone row",200000,||{std::hint::black_box(m.clone());});
 time("screen 8 in order",200000,||{std::hint::black_box(c.screen(&m).unwrap());});
 time("screen 8 shuffled",200000,||{std::hint::black_box(c.screen(&sh).unwrap());});
 let mut s8=schema8.clone(); s8["properties"]["s2"]["pattern"]=json!("^[a-z]+$"); let c2=Contract::compile(Some(&s8),&spec()).unwrap();
 time("screen 8 with pattern",100000,||{std::hint::black_box(c2.screen(&m).unwrap());});
 let e=Expr::compile("confidence < 0.75 || inputs.a2 > 50000",&["inputs","confidence"]).unwrap();
 time("cel",100000,||{std::hint::black_box(e.holds(&Scope::new().with_object("inputs",&m).with_number("confidence",0.9)).unwrap());});
 let mut p=spec(); p.rules.insert("r".into(),"inputs.a1 * 100 < inputs.a2".into()); let c3=Contract::compile(Some(&schema8),&p).unwrap();
 time("screen 8 with 1 rule",100000,||{std::hint::black_box(c3.screen(&m).unwrap());});
 let list: Vec<String>=(0..50).map(|i|format!("forbidden phrase number {i} of many")).collect(); let ph=plimsoll_guard::phrases::Phrases::new(&list).unwrap();
 let text="The quick brown fox jumps over the lazy dog, and for that it forbids nothing. ".repeat(10);
 time("phrases 780 bytes",100000,||{std::hint::black_box(ph.find(&text));});
 let mut w=plimsoll_guard::phrases::PhraseWindow::new(&ph); time("window push 6 bytes",100000,||{std::hint::black_box(w.push(" hello"));});
 let big=format!("[{}]",vec!["{\"a\":1,\"b\":[true,null,\"xx\"]}";10000].join(",")); time("frame big /byte*1000",20,||{std::hint::black_box(scan(big.as_bytes(),&l).unwrap());}); println!("big {}",big.len());
 let keys=format!("{{{}}}",(0..80000).map(|i|format!("\"{:05}\":0",i^0x5555)).collect::<Vec<_>>().join(",")); println!("keys {}",keys.len()); time("frame 80000 keys",5,||{std::hint::black_box(scan(keys.as_bytes(),&l).unwrap());});
 let keys=format!("{{{}}}",(0..9000).map(|i|format!("\"{}\\u0061{:05}\":0","p".repeat(80),i^0x1555)).collect::<Vec<_>>().join(",")); println!("escaped keys {}",keys.len()); time("frame 9000 long escaped keys",5,||{std::hint::black_box(scan(keys.as_bytes(),&l).unwrap());});
 let inputs=json!({"l":vec![1;99000]}); let e=Expr::compile("inputs.l.all(i, i == 1 && i * 2 < 3)",&["inputs"]).unwrap(); time("cel all 99000",5,||{std::hint::black_box(e.holds(&Scope::new().with("inputs",&inputs)).unwrap());});
 let inputs=json!({"l":vec![1;990]}); let e=Expr::compile("inputs.l.all(i, inputs.l.all(j, i == j))",&["inputs"]).unwrap(); time("cel exhaust",5,||{let _=std::hint::black_box(e.holds(&Scope::new().with("inputs",&inputs)));});
}
