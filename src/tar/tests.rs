use super::*;
#[test]
fn dump() {
    let Ok(dir) = std::env::var("DUMP_TARS") else { return };
    let mut names: Vec<_> = std::fs::read_dir(dir).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    for path in names {
        let file = std::fs::File::open(&path).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        let mut doubts = Vec::new();
        println!("== {}", path.file_name().unwrap().to_str().unwrap());
        let result = members(&file, bytes.len() as u64, |m| {
            let mut data = vec![0; usize::try_from(m.size).unwrap_or(0).min(1 << 24)];
            for e in m.extents() { for i in 0..e.length { data[(e.position + i) as usize] = bytes[(e.offset + i) as usize]; } }
            let mut h = crate::digest::Hasher::sha256();
            if m.has_data() { h.update(&data); } else { data.clear(); }
            let d = h.finish().to_string();
            println!("{}. {} {}. {} {}", hex(&m.name()), m.header.kind(), hex(m.link()), data.len(), &d[7..15]);
            doubts.extend(disagreement(m));
            Ok(())
        });
        if let Err(e) = result { println!("ERR {e}"); }
        for d in doubts { println!("DOUBT {d}"); }
    }
}
fn hex(b: &[u8]) -> String { b.iter().map(|b| format!("{b:02x}")).collect() }
